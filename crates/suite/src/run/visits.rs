//! The visits of a simulated target's components, and the cost of a crash of its instances.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::admin::Admin;

/// Completed and failed visits by component.
pub type Visits = IndexMap<String, [u64; 2]>;

/// The visits since the target started; `None` if it does not report them.
pub fn visits(admin: &Admin) -> Option<Visits> {
    of(&admin.resources().ok()?)
}

fn of(resources: &Value) -> Option<Visits> {
    let components = resources["components"].as_object()?.iter();
    let count = |it: &Value| Some([it["completed"].as_u64()?, it["failed"].as_u64()?]);
    components
        .map(|(name, it)| Some((name.clone(), count(it)?)))
        .collect()
}

/// The visits between two readings; `None` if the target restarted between them.
pub fn between(before: &Visits, after: &Visits) -> Option<Visits> {
    let since = |(name, [completed, failed]): (&String, &[u64; 2])| {
        let [completed_before, failed_before] = before.get(name).copied().unwrap_or_default();
        let count = [
            completed.checked_sub(completed_before)?,
            failed.checked_sub(failed_before)?,
        ];
        Some((name.clone(), count))
    };
    after.iter().map(since).collect()
}

/// The bound on the failures of a crash of this number of a host's instances, from a reading before the load and one
/// immediately before the crash; `None` if the target does not report it.
pub fn crash(before: &Value, now: &Value, host: &str, crashed: u32) -> Option<Value> {
    let at = &now["hosts"][host];
    let instances = at["instances"].as_array()?;
    let in_flight = instances.iter().take(crashed as usize);
    let in_flight: u64 = in_flight.filter_map(|one| one["in_flight"].as_u64()).sum();
    let visits = |resources: &Value| -> u64 {
        let components = resources["components"].as_object().into_iter().flatten();
        let here = components.filter(|(_, it)| it["host"] == host);
        here.filter_map(|(_, it)| it["begun"].as_u64()).sum()
    };
    let arrived = now["arrived"]
        .as_u64()?
        .checked_sub(before["arrived"].as_u64()?)?;
    let visits = visits(now).checked_sub(visits(before))?;
    (arrived > 0).then(|| {
        json!({
            "crashed": crashed,
            "instances": instances.iter().filter(|one| one["up"] == true).count(),
            "in_flight": in_flight,
            "visits_per_request": visits as f64 / arrived as f64,
            "detect_s": at["crash"]["detect_ms"].as_f64().map(|ms| ms / 1e3),
            "restart_s": at["crash"]["restart_ms"].as_f64().map(|ms| ms / 1e3),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(arrived: u64, begun: u64, failed: u64) -> Value {
        let component = |host: &str| json!({ "host": host, "begun": begun, "completed": begun - failed, "failed": failed });
        json!({
            "arrived": arrived,
            "hosts": { "api": {
                "crash": { "detect_ms": 500.0, "restart_ms": 9000.0 },
                "instances": [{ "up": true, "in_flight": 7 }, { "up": true, "in_flight": 9 }],
            } },
            "components": { "api": component("api"), "db": component("db") },
        })
    }

    #[test]
    fn visits_are_those_between_two_readings() {
        let [before, after] = [resources(10, 10, 1), resources(50, 90, 3)].map(|it| of(&it));
        let (before, after) = (before.expect("visits"), after.expect("visits"));
        let found = between(&before, &after).expect("it only counts up");
        assert_eq!(found["db"], [78, 2]);
        assert_eq!(between(&after, &before), None, "it began anew");
        assert_eq!(of(&Value::Null), None);
    }

    #[test]
    fn a_crash_is_told_with_all_that_bounds_its_failures() {
        let told = crash(&resources(10, 10, 0), &resources(50, 90, 0), "api", 1);
        let expected = json!({
            "crashed": 1, "instances": 2, "in_flight": 7, "visits_per_request": 2.0, "detect_s": 0.5, "restart_s": 9.0,
        });
        assert_eq!(told, Some(expected));
        assert_eq!(
            crash(&resources(10, 10, 0), &resources(50, 90, 0), "none", 1),
            None
        );
    }
}
