//! The shortcuts (`vus`, `duration`, `iterations`, `stages`) as scenarios.

use super::scenario::{ConstantVus, Executor, Iterations, RampingVus, Scenario};
use super::value::OptionError;
use super::{Options, duration};

/// Sets `scenarios` from the shortcuts and clears the shortcuts. Returns warnings for the log.
///
/// # Errors
/// Two of the shortcuts contradict each other.
pub fn scenarios(options: &mut Options) -> Result<Vec<String>, OptionError> {
    let mut warnings = Vec::new();
    refuse_conflicts(options)?;
    if let Some(iterations) = options.iterations {
        let executor = Executor::SharedIterations(Iterations {
            vus: options.vus,
            iterations: Some(iterations),
            max_duration: options.duration,
        });
        options.scenarios = Some(vec![Scenario::new("default", executor)]);
    } else if let Some(time) = options.duration {
        if time.is_zero() {
            return Err(OptionError::Plan(
                "`duration` option should be more than 0, for infinite duration use the \
                 externally-controlled executor"
                    .to_owned(),
            ));
        }
        let executor = ConstantVus {
            vus: options.vus,
            duration: Some(time),
        };
        options.scenarios = Some(vec![Scenario::new(
            "default",
            Executor::ConstantVus(executor),
        )]);
    } else if let Some(stages) = options.stages.take_if(|stages| !stages.is_empty()) {
        let ramp = RampingVus {
            start_vus: options.vus,
            stages: Some(stages),
            graceful_ramp_down: None,
        };
        options.scenarios = Some(vec![Scenario::new("default", Executor::RampingVus(ramp))]);
    } else if options.scenarios().is_empty() {
        let why = why_default(options);
        let executor = match options.vus {
            // One iteration per virtual user, shared: any of them may run it.
            Some(vus) if vus > 1 && why.is_none() => Executor::SharedIterations(Iterations {
                vus: Some(vus),
                iterations: Some(vus),
                max_duration: None,
            }),
            _ => Executor::PerVuIterations(Iterations::default()),
        };
        warnings.extend(why);
        options.scenarios = Some(vec![Scenario::new("default", executor)]);
    } else if let Some(vus) = options.vus {
        warnings.push(ignored_vus(vus));
    }
    (options.vus, options.iterations) = (None, None);
    (options.duration, options.stages) = (None, None);
    Ok(warnings)
}

fn refuse_conflicts(options: &Options) -> Result<(), OptionError> {
    let set = [
        ("iterations", options.iterations.is_some()),
        (
            "duration",
            options.duration.is_some() && options.iterations.is_none(),
        ),
        (
            "stages",
            options.stages.as_ref().is_some_and(|all| !all.is_empty()),
        ),
        ("scenarios", options.scenarios.is_some()),
    ];
    let set: Vec<&str> = set
        .iter()
        .filter(|(_, set)| *set)
        .map(|(name, _)| *name)
        .collect();
    match set.as_slice() {
        [first, second, ..] => Err(OptionError::Plan(format!(
            "using `{first}` and `{second}` options simultaneously is not allowed"
        ))),
        _ => Ok(()),
    }
}

fn why_default(options: &Options) -> Option<String> {
    let empty = |name: &str| {
        format!(
            "`{name}` was explicitly set to an empty value, running the script with 1 iteration in \
             1 VU"
        )
    };
    if options.stages.is_some() {
        Some(empty("stages"))
    } else if options.scenarios.is_some() {
        Some(empty("scenarios"))
    } else {
        None
    }
}

fn ignored_vus(vus: i64) -> String {
    format!(
        "`vus={vus}` option will be ignored, it only works in conjunction with `iterations`, \
         `duration`, or `stages`"
    )
}

/// The banner's description of a scenario, after its name. `share` is this instance's part of the test, 0 to 1.
pub fn describe(scenario: &Scenario, share: f64, scale: impl Fn(i64) -> i64) -> String {
    let vus = |vus: Option<i64>| scale(vus.unwrap_or(1));
    let (mut text, first) = match &scenario.executor {
        Executor::ConstantVus(c) => (
            format!(
                "{} looping VUs for {}",
                vus(c.vus),
                time(scenario.duration())
            ),
            None,
        ),
        Executor::RampingVus(c) => {
            let stages = c.stages.as_deref().unwrap_or_default();
            let highest = stages.iter().map(|stage| stage.target);
            let highest = highest.chain([c.start_vus.unwrap_or(1)]).max().unwrap_or(0);
            let grace = c
                .graceful_ramp_down
                .unwrap_or(super::scenario::DEFAULT_GRACE);
            let text = format!(
                "Up to {} looping VUs for {} over {} stages",
                scale(highest),
                time(scenario.duration()),
                stages.len()
            );
            (text, Some(format!("gracefulRampDown: {}", time(grace))))
        }
        Executor::SharedIterations(c) => {
            let count = scale(c.iterations.unwrap_or(1));
            let text = format!("{count} iterations shared among {} VUs", vus(c.vus));
            (
                text,
                Some(format!("maxDuration: {}", time(c.max_duration()))),
            )
        }
        Executor::PerVuIterations(c) => {
            let each = c.iterations.unwrap_or(1);
            let text = format!("{each} iterations for each of {} VUs", vus(c.vus));
            (
                text,
                Some(format!("maxDuration: {}", time(c.max_duration()))),
            )
        }
        Executor::ConstantArrivalRate(c) => {
            let unit = c.time_unit.map_or(1.0, |unit| unit.as_secs_f64());
            let rate = share * c.rate.unwrap_or(0) as f64 / unit;
            let text = format!("{rate:.2} iterations/s for {}", time(scenario.duration()));
            (
                text,
                Some(vu_range(
                    scale(c.pre_allocated_vus.unwrap_or(0)),
                    c.max_vus.map(&scale),
                )),
            )
        }
        Executor::RampingArrivalRate(c) => {
            let unit = c.time_unit.map_or(1.0, |unit| unit.as_secs_f64());
            let stages = c.stages.as_deref().unwrap_or_default();
            let highest = stages.iter().map(|stage| stage.target);
            let highest = highest
                .chain([c.start_rate.unwrap_or(0)])
                .max()
                .unwrap_or(0);
            let text = format!(
                "Up to {:.2} iterations/s for {} over {} stages",
                share * highest as f64 / unit,
                time(scenario.duration()),
                stages.len()
            );
            (
                text,
                Some(vu_range(
                    scale(c.pre_allocated_vus.unwrap_or(0)),
                    c.max_vus.map(&scale),
                )),
            )
        }
        Executor::ExternallyControlled(c) => {
            let for_time = match scenario.duration() {
                zero if zero.is_zero() => "infinite duration".to_owned(),
                finite => format!("{} duration", time(finite)),
            };
            (
                format!(
                    "Externally controlled execution with {} VUs, {} max VUs, {for_time}",
                    vus(c.vus),
                    c.max_vus.unwrap_or(c.vus.unwrap_or(1))
                ),
                None,
            )
        }
    };
    let facts: Vec<String> = first.into_iter().chain(base_facts(scenario)).collect();
    if !facts.is_empty() {
        text.push_str(&format!(" ({})", facts.join(", ")));
    }
    text
}

fn base_facts(scenario: &Scenario) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(exec) = &scenario.exec {
        facts.push(format!("exec: {exec}"));
    }
    if !scenario.start_time().is_zero() {
        facts.push(format!("startTime: {}", time(scenario.start_time())));
    }
    if !scenario.graceful_stop().is_zero() {
        facts.push(format!("gracefulStop: {}", time(scenario.graceful_stop())));
    }
    facts
}

fn vu_range(least: i64, most: Option<i64>) -> String {
    match most {
        Some(most) if most > least => format!("maxVUs: {least}-{most}"),
        _ => format!("maxVUs: {least}"),
    }
}

fn time(time: std::time::Duration) -> String {
    duration::format(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vus: Option<i64>, expected: &Executor) {
        let mut options = Options {
            vus,
            ..Options::default()
        };
        let warnings = scenarios(&mut options).expect("nothing contradicts");
        assert!(warnings.is_empty(), "{vus:?}: {warnings:?}");
        assert_eq!(&options.scenarios()[0].executor, expected, "{vus:?}");
    }

    #[test]
    fn virtual_users_alone_run_once_each() {
        let once = Executor::PerVuIterations(Iterations::default());
        check(None, &once);
        check(Some(1), &once);
        let three = Iterations {
            vus: Some(3),
            iterations: Some(3),
            max_duration: None,
        };
        check(Some(3), &Executor::SharedIterations(three));
    }
}
