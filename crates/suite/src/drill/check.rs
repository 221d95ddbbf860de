//! What makes no sense in a drill that is well-formed: one that would inject or measure nothing, or
//! that cannot be kept to.

use live_config::{ConfigError, ConfigErrors, join};
use serde_json::Value;

use super::{Bounds, Drill, Fault, Opens};

/// The longest time that a drill may ask for: a day, in milliseconds.
const LONGEST_MS: u64 = 86_400_000;
/// How often a fault may come.
const MOST_TIMES: u32 = 10_000;

/// Everything that is wrong with `drill`.
pub(super) fn check(drill: &Drill) -> Vec<ConfigError> {
    let mut faults = ConfigErrors::default();
    let steady = &drill.steady_state;
    time("probe.interval_ms", drill.probe.interval_ms, 1, &mut faults);
    time("steady_state.after_ms", steady.after_ms, 0, &mut faults);
    time("steady_state.for_ms", steady.for_ms, 1, &mut faults);
    bounds("steady_state.expect", &steady.expect, &mut faults);
    bounds("during", &drill.during, &mut faults);
    time("recover.within_ms", drill.recover.within_ms, 0, &mut faults);
    if let Some(detect) = &drill.detect {
        time("detect.within_ms", detect.within_ms, 1, &mut faults);
        bounds("detect.then", &detect.then, &mut faults);
        if matches!(&detect.breaker_opens, Opens::Each(names) if names.is_empty()) {
            faults.add(
                "detect.breaker_opens",
                "is empty; name at least one detector",
            );
        }
    }
    if drill.faults.is_empty() {
        faults.add("faults", "is empty; a drill injects at least one fault");
    }
    for (index, fault) in drill.faults.iter().enumerate() {
        check_fault(&format!("faults[{index}]"), fault, &mut faults);
    }
    faults.into_vec()
}

fn check_fault(path: &str, fault: &Fault, faults: &mut ConfigErrors) {
    if !fault.patch.is_object() {
        faults.add(
            join(path, "patch"),
            "must be a mapping: what changes in the detector's profile",
        );
    } else if changes_nothing(&fault.patch) {
        faults.add(
            join(path, "patch"),
            "changes nothing; name what breaks, such as { success_rate: 0 }",
        );
    }
    time(&join(path, "at_ms"), fault.at_ms, 0, faults);
    time(&join(path, "for_ms"), fault.for_ms, 1, faults);
    if !(1..=MOST_TIMES).contains(&fault.times) {
        faults.add(join(path, "times"), format!("use 1 to {MOST_TIMES}"));
    } else if fault.times > 1 {
        // Its turns would be upon each other.
        time(
            &join(path, "every_ms"),
            fault.every_ms,
            fault.for_ms,
            faults,
        );
    }
}

fn changes_nothing(patch: &Value) -> bool {
    patch
        .as_object()
        .is_some_and(|fields| fields.values().all(changes_nothing))
}

fn time(path: &str, given_ms: u64, least_ms: u64, faults: &mut ConfigErrors) {
    if !(least_ms..=LONGEST_MS).contains(&given_ms) {
        let hint = format!("is {given_ms}; use {least_ms} to {LONGEST_MS} (milliseconds)");
        faults.add(path, hint);
    }
}

fn bounds(path: &str, bounds: &Bounds, faults: &mut ConfigErrors) {
    for (field, share) in [("answered", bounds.answered), ("coverage", bounds.coverage)] {
        if let Some(share) = share.filter(|share| !(0.0..=1.0).contains(share)) {
            let hint = format!("{share} is not a share; use a number from 0 to 1");
            faults.add(join(path, field), hint);
        }
    }
}

#[cfg(test)]
mod tests {
    use live_config::read;
    use serde_json::json;

    use super::*;

    fn drill(changes: Value) -> Drill {
        let mut drill = json!({
            "title": "t",
            "steady_state": {"for_ms": 1000, "expect": {"answered": 0.9}},
            "faults": [{"detector": "a", "patch": {"success_rate": 0}, "for_ms": 500}],
            "recover": {"within_ms": 1000},
        });
        live_config::merge(&mut drill, &changes, &[]);
        read::from_value(drill).expect("well-formed")
    }

    #[test]
    fn a_drill_that_would_inject_or_measure_nothing_is_refused() {
        let fault = |changes: Value| {
            let mut fault = json!({"detector": "a", "patch": {"success_rate": 0}, "for_ms": 500});
            for (field, value) in changes.as_object().expect("fields") {
                fault[field] = value.clone();
            }
            json!({"faults": [fault]})
        };
        for (changes, path) in [
            (json!({"faults": []}), "faults"),
            (fault(json!({"patch": {}})), "faults[0].patch"),
            (fault(json!({"patch": {"latency": {}}})), "faults[0].patch"),
            (fault(json!({"patch": 7})), "faults[0].patch"),
            (fault(json!({"for_ms": 0})), "faults[0].for_ms"),
            (fault(json!({"times": 0})), "faults[0].times"),
            (fault(json!({"times": 2})), "faults[0].every_ms"),
            (fault(json!({"at_ms": u64::MAX})), "faults[0].at_ms"),
            (
                json!({"steady_state": {"for_ms": 0}}),
                "steady_state.for_ms",
            ),
            (
                json!({"steady_state": {"expect": {"answered": 90}}}),
                "steady_state.expect.answered",
            ),
            (json!({"during": {"coverage": -1}}), "during.coverage"),
            (json!({"probe": {"interval_ms": 0}}), "probe.interval_ms"),
            (
                json!({"detect": {"breaker_opens": [], "within_ms": 1}}),
                "detect.breaker_opens",
            ),
        ] {
            let faults = check(&drill(changes.clone()));
            let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
            assert_eq!(paths, [path], "{changes}");
        }
        assert_eq!(check(&drill(json!({}))), []);
    }
}
