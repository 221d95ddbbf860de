//! The number of virtual users that an open test allocates before its load.
//!
//! An arrival keeps a virtual user until its response, so that a rate needs rate x response time of them on the average, and
//! twice as many are allocated. An arrival that finds none is dropped.

use serde_json::{Map, Value, json};

use super::options::UNITS;

/// The assumed response time of a system that does not report its own.
const ASSUMED_RESPONSE_S: f64 = 1.0;
/// Headroom for a short pause of the system or the machine, which a mean does not include.
const PAUSE_S: f64 = 0.25;
/// Near its capacity the response time of a system grows without bound; more users would show nothing new.
const LONGEST_RESPONSE_S: f64 = 5.0;

/// The number that a plan allocates for a rate.
pub(super) fn assumed(rate_per_s: f64) -> u64 {
    needed(rate_per_s, ASSUMED_RESPONSE_S)
}

fn needed(rate_per_s: f64, response_s: f64) -> u64 {
    ((rate_per_s * response_s * 2.0).ceil() as u64).max(1)
}

/// Allocates by the mean response time of the system at the rate of all scenarios, in seconds. The number planned without it
/// remains the maximum, in case the system is slower.
pub fn allocate(options: &mut Value, response_s: impl FnOnce(f64) -> Option<f64>) {
    let scenarios = options.get_mut("scenarios").and_then(Value::as_object_mut);
    let scenarios = scenarios.into_iter().flat_map(Map::values_mut);
    let open: Vec<(f64, &mut Value)> = scenarios
        .filter_map(|scenario| Some((highest_per_s(scenario)?, scenario)))
        .collect();
    let rate_per_s: f64 = open.iter().map(|(rate, _)| rate).sum();
    if rate_per_s <= 0.0 {
        return;
    }
    let Some(response_s) = response_s(rate_per_s) else {
        return;
    };
    for (rate_per_s, scenario) in open {
        let planned = scenario["preAllocatedVUs"].as_u64().unwrap_or_default();
        let known = needed(rate_per_s, (response_s + PAUSE_S).min(LONGEST_RESPONSE_S));
        scenario["preAllocatedVUs"] = json!(known);
        scenario["maxVUs"] = json!(known.max(planned));
    }
}

/// Of an open scenario.
fn highest_per_s(scenario: &Value) -> Option<f64> {
    let unit = scenario.get("timeUnit")?.as_str()?;
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let stages = scenario.get("stages")?.as_array()?.iter();
    let targets = stages.filter_map(|stage| stage["target"].as_f64());
    Some(targets.fold(0.0, f64::max) / factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::built_in;
    use crate::plan::{Selection, plan};

    fn options(suite: &str, test: &str) -> Value {
        let file = built_in(suite).expect("built in").expect("sound");
        let selection = Selection {
            tests: vec![test.to_owned()],
            ..Selection::default()
        };
        let mut plan = plan(&file, &selection, &|_| None).expect("planned");
        plan.tests.remove(0).options
    }

    /// The design's rate x (the truth's or 1 s) x 2, and room for a pause.
    #[test]
    fn virtual_users_follow_from_the_rate_and_the_response_time() {
        let check = |response_s: Option<f64>, allocated: u64, most: Option<u64>| {
            let mut options = options("aiaas", "throughput");
            allocate(&mut options, |rate_per_s| {
                assert!((rate_per_s - 1_000.0).abs() < 1e-9, "{rate_per_s}");
                response_s
            });
            let scenario = &options["scenarios"]["AIaaSUser"];
            assert_eq!(scenario["preAllocatedVUs"], allocated, "{response_s:?}");
            assert_eq!(scenario["maxVUs"].as_u64(), most, "{response_s:?}");
        };
        check(None, 2_000, None);
        check(Some(0.05), 600, Some(2_000));
        check(Some(3.0), 6_500, Some(6_500));
        check(Some(900.0), 10_000, Some(10_000));
    }

    #[test]
    fn closed_tests_keep_their_users() {
        let before = options("aiaas", "smoke");
        let mut after = before.clone();
        allocate(&mut after, |_| panic!("there are no arrivals"));
        assert_eq!(after, before);
    }

    /// 50 operations a second would keep 250 users waiting, and 100 are allocated.
    #[test]
    fn arrivals_do_not_wait_after_their_response() {
        for suite in ["acso", "agent360", "acis"] {
            let options = options(suite, "benchmark");
            let scenarios = options["scenarios"].as_object().expect("scenarios");
            for scenario in scenarios.values() {
                assert_eq!(scenario["env"]["SPARRING_WAIT_S"], "0,0", "{suite}");
            }
        }
    }
}
