//! Checks that each test has load in its judged phases.

use super::{Plan, PlannedTest, faults};

/// A test that would be judged only during a ramp or without load, or whose faults outlast its load.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unloaded {
    #[error(
        "{label} has no judged load: {why}; give it a longer run time (-t, or `for` of a steady phase), a higher spawn rate (-r) or fewer users (-u)"
    )]
    NoLevel { label: String, why: &'static str },
    #[error(
        "{label} ends before its {faults} faults do: they take up to {needed_s:.0} s of steady load, and there are {steady_s:.0} s; make the steady phase longer (`for`, or -t {run_time_s:.0}s), or leave out -t"
    )]
    Faults {
        label: String,
        faults: usize,
        needed_s: f64,
        steady_s: f64,
        /// The run time that would be sufficient.
        run_time_s: f64,
    },
}

/// Checks the tests whose phases are known in the plan: a judged phase has to hold a level for some time, and long
/// enough for the faults injected during it.
///
/// # Errors
/// The first test without a measurement that can be judged.
pub fn loaded(plan: &Plan) -> Result<(), Unloaded> {
    let unloaded = |test: &PlannedTest| match no_level(test) {
        Some(why) => Some(Unloaded::NoLevel {
            label: test.label(),
            why,
        }),
        None => outlasted(test, plan.time_scale),
    };
    plan.tests.iter().find_map(unloaded).map_or(Ok(()), Err)
}

fn no_level(test: &PlannedTest) -> Option<&'static str> {
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
        "no judged phase has both a duration and load"
    })
}

/// Times that are sums of seconds in floating point differ by less than this.
const ROUNDING_S: f64 = 1e-6;

fn outlasted(test: &PlannedTest, time_scale: f64) -> Option<Unloaded> {
    if test.faults.is_empty() {
        return None;
    }
    let steady = faults::beside(&test.phases);
    let (begin_s, end_s) = steady.map_or((0.0, 0.0), |phase| (phase.begin_s, phase.end_s));
    let (needed_s, steady_s) = (faults::needed_s(&test.faults, time_scale), end_s - begin_s);
    (steady_s + ROUNDING_S < needed_s).then(|| Unloaded::Faults {
        label: test.label(),
        faults: test.faults.len(),
        needed_s: needed_s.ceil(),
        steady_s: steady_s.floor(),
        run_time_s: ((begin_s + needed_s) / time_scale).ceil(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Unloaded, loaded};
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
    fn a_run_time_that_ends_before_the_faults_is_refused_with_one_that_does_not() {
        let file = built_in("acis").expect("built in").expect("sound");
        let of = |run_time_s, time_scale| {
            let selection = Selection {
                tests: vec!["fault-tolerance".to_owned()],
                load: LoadOverride {
                    run_time: Some(Duration::from_secs(run_time_s)),
                    ..LoadOverride::default()
                },
                time_scale,
                ..Selection::default()
            };
            loaded(&plan(&file, &selection, &|_| None).expect("planned"))
        };
        for time_scale in [0.1, 1.0] {
            let refused = of(60, time_scale).expect_err("a minute is too short");
            let Unloaded::Faults { run_time_s, .. } = refused else {
                panic!("{refused}")
            };
            let advice = format!("-t {run_time_s}s");
            assert!(refused.to_string().contains(&advice), "{refused}");
            assert_eq!(of(run_time_s as u64, time_scale), Ok(()), "{time_scale}");
            assert!(of(run_time_s as u64 - 2, time_scale).is_err());
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
