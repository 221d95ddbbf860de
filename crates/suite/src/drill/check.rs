//! Errors in a well-formed drill: it would inject or measure nothing, or
//! its times contradict each other.

use live_config::{Check, ConfigError, ConfigErrors, join};
use serde_json::Value;

use super::{Bounds, Drill, Fault, Opens};

/// The longest permitted time of a drill: a day, in milliseconds.
const LONGEST_MS: u64 = 86_400_000;
/// Maximum number of repetitions of a fault.
const MOST_TIMES: u32 = 10_000;

/// All errors of `drill`.
pub(super) fn check(drill: &Drill) -> Vec<ConfigError> {
    let mut faults = ConfigErrors::default();
    let steady = &drill.steady_state;
    let mut part = Vec::new();
    let mut check = Check::new(&mut part);
    check.between("probe.interval_ms", drill.probe.interval_ms, 1, LONGEST_MS);
    check.between("steady_state.after_ms", steady.after_ms, 0, LONGEST_MS);
    check.between("steady_state.for_ms", steady.for_ms, 1, LONGEST_MS);
    bounds(&steady.expect, &mut check.at("steady_state.expect"));
    bounds(&drill.during, &mut check.at("during"));
    check.between("recover.within_ms", drill.recover.within_ms, 0, LONGEST_MS);
    if let Some(detect) = &drill.detect {
        check.between("detect.within_ms", detect.within_ms, 1, LONGEST_MS);
        bounds(&detect.then, &mut check.at("detect.then"));
        if matches!(&detect.breaker_opens, Opens::Each(names) if names.is_empty()) {
            check.error(
                "detect.breaker_opens",
                "is empty; name at least one detector",
            );
        }
    }
    faults.add_below("", part);
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
    let mut part = Vec::new();
    let mut check = Check::new(&mut part);
    check.between("at_ms", fault.at_ms, 0, LONGEST_MS);
    check.between("for_ms", fault.for_ms, 1, LONGEST_MS);
    check.between("times", fault.times, 1, MOST_TIMES);
    check.at_most("every_ms", fault.every_ms, LONGEST_MS);
    if fault.times > 1 && fault.every_ms < fault.for_ms {
        let hint = format!(
            "is below for_ms ({}): its turns would overlap",
            fault.for_ms
        );
        check.error("every_ms", hint);
    }
    faults.add_below(path, part);
}

fn changes_nothing(patch: &Value) -> bool {
    patch
        .as_object()
        .is_some_and(|fields| fields.values().all(changes_nothing))
}

fn bounds(bounds: &Bounds, check: &mut Check<'_>) {
    if let Some(share) = bounds.answered {
        check.share("answered", share);
    }
    if let Some(share) = bounds.coverage {
        check.share("coverage", share);
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
