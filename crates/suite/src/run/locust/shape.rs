//! The phases of a test in Locust's form.

use report::record::{LoadModel, TestContent};
use serde::Serialize;

use crate::plan::PlannedTest;

/// The time in which users start and stop at a jump from one phase to the next.
const AT_ONCE_S: f64 = 1.0;

/// One phase: this number of users until `end_s`, starting and stopping `per_s` a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    pub end_s: f64,
    pub users: u64,
    pub per_s: f64,
}

/// The phases of a closed test; the error names what Locust cannot express.
pub fn of(test: &PlannedTest) -> Result<Vec<Step>, &'static str> {
    match (test.model, test.content) {
        (LoadModel::Open, _) => return Err("arrivals at a rate"),
        (_, TestContent::Search) => return Err("levels that are known only while it runs"),
        (_, TestContent::Samples) => return Err("a number of iterations"),
        (_, TestContent::Drills) => return Err("faults of mock detectors"),
        _ if test.phases.is_empty() => return Err("no phases"),
        _ => {}
    }
    let mut before = 0.0;
    let steps = test
        .phases
        .iter()
        .filter(|phase| phase.end_s > phase.begin_s);
    let steps = steps.map(|phase| {
        let (level, seconds) = (phase.level(), phase.end_s - phase.begin_s);
        // A ramp lasts as long as its phase; any other change is a jump.
        let seconds = if phase.kind.jumps() {
            AT_ONCE_S
        } else {
            seconds
        };
        let change = (level - before).abs();
        before = level;
        Step {
            end_s: phase.end_s,
            users: level.round().max(0.0) as u64,
            per_s: (change / seconds).max(1.0 / AT_ONCE_S),
        }
    });
    Ok(steps.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::built_in;
    use crate::plan::{Selection, plan};

    fn planned(suite: &str, test: &str) -> PlannedTest {
        let file = built_in(suite).expect("built in").expect("sound");
        let selection = Selection {
            tests: vec![test.to_owned()],
            ..Selection::default()
        };
        let plan = plan(&file, &selection, &|_| None).expect("a plan");
        plan.tests[0].clone()
    }

    #[test]
    fn ramps_keep_their_speed_and_levels_hold() {
        let steps = of(&planned("acis", "spike")).expect("users");
        let told: Vec<(f64, u64, f64)> = steps
            .iter()
            .map(|step| (step.end_s, step.users, step.per_s))
            .collect();
        assert_eq!(told[0], (10.0, 50, 5.0));
        assert_eq!(told[1], (300.0, 50, 1.0));
        assert_eq!((told[2].1, told[2].2), (500, 100.0));
        assert_eq!((told[4].1, told[4].2), (50, 100.0));
        // S-03: the run time is that of the plan, including the ramp.
        assert_eq!(of(&planned("acis", "load")).expect("users")[1].end_s, 600.0);
    }

    #[test]
    fn features_that_locust_cannot_express_are_named() {
        assert_eq!(of(&planned("acis", "benchmark")), Err("arrivals at a rate"));
        assert!(of(&planned("aiaas", "breakpoint")).is_err());
        assert!(
            of(&planned("acis", "breakpoint")).is_ok(),
            "a ladder has phases"
        );
    }
}
