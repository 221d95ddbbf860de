//! The rest of an interrupted test.

use serde_json::Value;

use super::phases::{Kind, PlannedPhase};
use super::step::options_of;
use super::{PlannedTest, SHORTEST};
use crate::file::SuiteFile;

/// The separator between a phase's name and the number of its part.
const PART: &str = ", part ";

/// The remaining phases of a test and their k6 options.
#[derive(Debug, Clone, PartialEq)]
pub struct Rest {
    /// A ramp back to the level at the interruption, then the remaining phases.
    pub phases: Vec<PlannedPhase>,
    pub options: Value,
    /// The length of that ramp, which is not part of the plan.
    pub back_s: f64,
}

/// The rest of the plan from `at_s` on; `part` counts from 2. `None`: the plan was complete.
pub fn rest(file: &SuiteFile, test: &PlannedTest, at_s: f64, part: usize) -> Option<Rest> {
    let place = test.phases.iter().position(|phase| at_s < phase.end_s)?;
    let current = &test.phases[place];
    let before = place
        .checked_sub(1)
        .map_or(0.0, |place| test.phases[place].level());
    let level = level_at(current, before, at_s);
    let back_s = level / speed(test).max(f64::MIN_POSITIVE);
    let back_s = back_s.clamp(SHORTEST.as_secs_f64(), test.longest_s.max(1.0));
    let back = PlannedPhase {
        name: format!("back to {level}"),
        kind: Kind::Ramp,
        begin_s: 0.0,
        end_s: back_s,
        users: current.users.map(|_| level),
        rate_per_s: current.rate_per_s.map(|_| level),
        judged: false,
    };
    let moved = |phase: &PlannedPhase| PlannedPhase {
        begin_s: phase.begin_s.max(at_s) - at_s + back_s,
        end_s: phase.end_s - at_s + back_s,
        ..phase.clone()
    };
    let first = PlannedPhase {
        name: format!("{}{PART}{part}", whole_name(&current.name)),
        ..moved(current)
    };
    let mut phases = vec![back, first];
    phases.extend(test.phases[place + 1..].iter().map(moved));
    let options = options_of(file, test, &phases);
    Some(Rest {
        phases,
        options,
        back_s,
    })
}

/// The name of the phase to which `steady, part 2` belongs.
pub fn whole_name(name: &str) -> &str {
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    match name.rsplit_once(PART) {
        Some((whole, number)) if is_number(number) => whole,
        _ => name,
    }
}

fn level_at(phase: &PlannedPhase, before: f64, at_s: f64) -> f64 {
    let level = phase.level();
    if phase.kind.jumps() {
        return level;
    }
    let share = (at_s - phase.begin_s) / (phase.end_s - phase.begin_s);
    (before + (level - before) * share.clamp(0.0, 1.0))
        .round()
        .max(1.0)
}

/// The ramp speed of the test in users or arrivals per second: that of its first ramp.
fn speed(test: &PlannedTest) -> f64 {
    let ramp = test.phases.iter().find(|phase| phase.kind == Kind::Ramp);
    ramp.map_or(f64::INFINITY, |ramp| {
        ramp.level() / (ramp.end_s - ramp.begin_s).max(f64::MIN_POSITIVE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::built_in;
    use crate::plan::{Selection, plan};

    #[test]
    fn a_soak_goes_back_to_its_level_and_lasts_as_long_as_was_left() {
        let file = built_in("acis").expect("built in").expect("sound");
        let selection = Selection {
            tests: vec!["soak".to_owned()],
            ..Selection::default()
        };
        let plan = plan(&file, &selection, &|_| None).expect("a plan");
        let rest = rest(&file, &plan.tests[0], 3610.0, 2).expect("a day is not over");
        let told: Vec<(&str, f64, f64, bool)> = rest
            .phases
            .iter()
            .map(|phase| {
                (
                    phase.name.as_str(),
                    phase.begin_s,
                    phase.end_s,
                    phase.judged,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("back to 100", 0.0, 10.0, false),
                ("steady 2, part 2", 10.0, 10.0 + 86_400.0 - 3610.0, true)
            ]
        );
        let stages = &rest.options["scenarios"]["ACISAPIUser"]["stages"];
        assert_eq!(stages[0]["target"], 100);
        assert_eq!(whole_name("steady, part 2"), "steady");
        assert_eq!(whole_name("one, part of it"), "one, part of it");
        assert_eq!(super::rest(&file, &plan.tests[0], 86_400.0, 2), None);
    }
}
