//! Whether each test holds a load where it is judged.

use super::{Plan, PlannedTest};

/// A test that would be judged on a ramp alone, or on no load at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{label} holds no load that is judged: {why}; give it a longer run time (-t, or `for` of a steady phase), a higher spawn rate (-r) or fewer users (-u)"
)]
pub struct Unloaded {
    label: String,
    why: &'static str,
}

/// Checks the tests whose phases the plan knows: a judged phase has to hold a level for some time.
///
/// # Errors
/// The first test that would measure nothing that can be judged.
pub fn loaded(plan: &Plan) -> Result<(), Unloaded> {
    let why = |test: &PlannedTest| {
        let is_judged = |name: &String, judged: bool| judged || test.judge.phases.contains(name);
        let lasting = |phase: &&super::PlannedPhase| phase.end_s > phase.begin_s;
        let mut judged = test
            .phases
            .iter()
            .filter(|phase| is_judged(&phase.name, phase.judged));
        if test.phases.is_empty() || judged.any(|phase| lasting(&phase) && phase.level() > 0.0) {
            return None;
        }
        let only_ramps = test
            .phases
            .iter()
            .filter(lasting)
            .all(|phase| phase.kind == super::Kind::Ramp);
        Some(if only_ramps {
            "it ends before the ramp does, or with it"
        } else {
            "no judged phase lasts and has users or arrivals"
        })
    };
    let unloaded = |test: &PlannedTest| {
        Some(Unloaded {
            label: test.label(),
            why: why(test)?,
        })
    };
    plan.tests.iter().find_map(unloaded).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::loaded;
    use crate::builtin::{BUILT_IN, built_in};
    use crate::plan::{LoadOverride, Selection, plan};

    #[test]
    fn every_built_in_test_holds_a_load() {
        for (name, _) in BUILT_IN {
            let file = built_in(name).expect("built in").expect("sound");
            for time_scale in [0.001, 0.02, 1.0] {
                let selection = Selection {
                    tests: vec!["all-tests".to_owned()],
                    time_scale,
                    ..Selection::default()
                };
                let plan = plan(&file, &selection, &|_| None).expect("planned");
                assert_eq!(loaded(&plan), Ok(()), "{name} {time_scale}");
            }
        }
    }

    #[test]
    fn a_ramp_alone_is_refused() {
        let file = built_in("acis").expect("built in").expect("sound");
        for (seconds, is_loaded) in [(5, false), (10, false), (12, true)] {
            let selection = Selection {
                tests: vec!["load".to_owned()],
                load: LoadOverride {
                    users: Some(10.0),
                    spawn_rate: Some(1.0),
                    run_time: Some(Duration::from_secs(seconds)),
                },
                ..Selection::default()
            };
            let plan = plan(&file, &selection, &|_| None).expect("planned");
            assert_eq!(loaded(&plan).is_ok(), is_loaded, "{seconds} s");
        }
    }

    #[test]
    fn a_steady_phase_that_lasts_no_time_is_refused() {
        let mut file = built_in("acis").expect("built in").expect("sound");
        let phases = file.tests["load"].phases.iter_mut().flatten();
        for phase in phases {
            if let crate::file::Phase::Steady(steady) = phase {
                steady.lasts = crate::file::Span::default();
            }
        }
        let selection = Selection {
            tests: vec!["load".to_owned()],
            ..Selection::default()
        };
        let plan = plan(&file, &selection, &|_| None).expect("planned");
        let error = loaded(&plan).expect_err("nothing is held").to_string();
        assert!(error.contains("acis") || error.contains("load"), "{error}");
        assert!(error.contains("-t"), "{error}");
    }
}
