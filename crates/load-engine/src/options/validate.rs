//! Validation: options that cannot run are rejected before anything starts.

use std::time::Duration;

use super::scenario::{Executor, Iterations, Scenario, Stage};
use super::value::OptionError;
use super::{Options, duration};

const MIN_DURATION: Duration = Duration::from_secs(1);
const MAX_VUS: i64 = 100_000_000;

/// Checks derived options as a whole; `has_function` tells whether the script exports a function.
///
/// # Errors
/// All errors at once, one per line, as k6 lists them.
pub fn scenarios(
    options: &Options,
    has_function: impl Fn(&str) -> bool,
) -> Result<(), OptionError> {
    let mut faults: Vec<String> = Vec::new();
    let zero = |time: Option<Duration>| time.is_some_and(|time| time.is_zero());
    if zero(options.setup_timeout) {
        faults.push("setupTimeout must be positive".to_owned());
    }
    for scenario in options.scenarios() {
        let own = scenario_faults(scenario);
        let (name, function) = (&scenario.name, scenario.function());
        if !own.is_empty() {
            let own = own.join(", ");
            faults.push(format!("scenario {name} has configuration errors: {own}"));
        }
        if !function.is_empty() && !has_function(function) {
            faults.push(format!(
                "executor {name}: function '{function}' not found in exports"
            ));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let list: String = faults
        .iter()
        .map(|fault| format!("\n\t- {fault}"))
        .collect();
    Err(OptionError::Plan(format!(
        "There were problems with the specified script configuration:{list}"
    )))
}

fn scenario_faults(scenario: &Scenario) -> Vec<String> {
    let mut faults = Vec::new();
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if scenario.name.is_empty() {
        faults.push("scenario name can't be empty".to_owned());
    }
    if scenario.name.is_empty() || !scenario.name.chars().all(valid) {
        faults.push(
            "the scenario name should contain only numbers, latin letters, underscores, and dashes"
                .to_owned(),
        );
    }
    if scenario.exec.as_deref() == Some("") {
        faults.push("exec value cannot be empty".to_owned());
    }
    match &scenario.executor {
        Executor::ConstantVus(c) => {
            positive_vus(c.vus.unwrap_or(1), &mut faults);
            at_least_a_second("duration", c.duration, &mut faults);
        }
        Executor::RampingVus(c) => {
            let start = c.start_vus.unwrap_or(1);
            if start < 0 {
                faults.push("the number of start VUs can't be negative".to_owned());
            }
            let stages = c.stages.as_deref().unwrap_or_default();
            stage_faults(stages, &mut faults);
            if stages.iter().all(|stage| stage.target <= 0) && start <= 0 {
                faults.push(
                    "either startVUs or one of the stages' target values must be greater than 0"
                        .to_owned(),
                );
            }
            if stages.iter().any(|stage| stage.target > MAX_VUS) || start > MAX_VUS {
                faults.push(format!("the number of VUs cannot exceed {MAX_VUS}"));
            }
        }
        Executor::SharedIterations(c) => {
            iteration_faults(c, &mut faults);
            let (vus, iterations) = (c.vus.unwrap_or(1), c.iterations.unwrap_or(1));
            if iterations < vus {
                faults.push(format!("the number of iterations ({iterations}) can't be less than the number of VUs ({vus})"));
            }
        }
        Executor::PerVuIterations(c) => {
            iteration_faults(c, &mut faults);
            if c.iterations.is_some_and(|count| count <= 0) {
                faults.push("the number of iterations must be more than 0".to_owned());
            }
        }
        Executor::ConstantArrivalRate(c) => {
            match c.rate {
                None => faults.push("the iteration rate isn't specified".to_owned()),
                Some(rate) if rate <= 0 => {
                    faults.push("the iteration rate must be more than 0".to_owned());
                }
                Some(_) => {}
            }
            positive_unit(c.time_unit, &mut faults);
            at_least_a_second("duration", c.duration, &mut faults);
            vu_bounds(c.pre_allocated_vus, c.max_vus, &mut faults);
        }
        Executor::RampingArrivalRate(c) => {
            if c.start_rate.is_some_and(|rate| rate < 0) {
                faults.push("the startRate value can't be negative".to_owned());
            }
            positive_unit(c.time_unit, &mut faults);
            stage_faults(c.stages.as_deref().unwrap_or_default(), &mut faults);
            vu_bounds(c.pre_allocated_vus, c.max_vus, &mut faults);
        }
        Executor::ExternallyControlled(c) => {
            let vus = c.vus.unwrap_or(1);
            if vus < 0 {
                faults.push("the number of VUs can't be negative".to_owned());
            }
            if c.max_vus.is_some_and(|most| most < vus) {
                let most = c.max_vus.unwrap_or_default();
                faults.push(format!(
                    "the number of active VUs ({vus}) must be less than or equal to the number of maxVUs ({most})"
                ));
            }
            if c.duration.is_none() {
                faults
                    .push("the duration must be specified, for infinite duration use 0".to_owned());
            }
            if scenario.graceful_stop.is_some_and(|grace| !grace.is_zero()) {
                faults.push(
                    "gracefulStop is not supported by the externally controlled executor"
                        .to_owned(),
                );
            }
        }
    }
    faults
}

fn positive_vus(vus: i64, faults: &mut Vec<String>) {
    if vus <= 0 {
        faults.push("the number of VUs must be more than 0".to_owned());
    } else if vus > MAX_VUS {
        faults.push(format!("the number of VUs cannot exceed {MAX_VUS}"));
    }
}

fn iteration_faults(c: &Iterations, faults: &mut Vec<String>) {
    positive_vus(c.vus.unwrap_or(1), faults);
    if c.max_duration.is_some() {
        at_least_a_second("maxDuration", c.max_duration, faults);
    }
}

fn at_least_a_second(name: &str, time: Option<Duration>, faults: &mut Vec<String>) {
    match time {
        None => faults.push(format!("the {name} is unspecified")),
        Some(time) if time < MIN_DURATION => {
            let time = duration::format(time);
            faults.push(format!("the {name} must be at least 1s, but is {time}"));
        }
        Some(_) => {}
    }
}

fn positive_unit(unit: Option<Duration>, faults: &mut Vec<String>) {
    if unit.is_some_and(|unit| unit.is_zero()) {
        faults.push("the timeUnit must be more than 0".to_owned());
    }
}

fn vu_bounds(pre_allocated: Option<i64>, most: Option<i64>, faults: &mut Vec<String>) {
    match pre_allocated {
        None => faults.push("the number of preAllocatedVUs isn't specified".to_owned()),
        Some(count) if count < 0 => {
            faults.push("the number of preAllocatedVUs can't be negative".to_owned());
        }
        Some(count) if most.is_some_and(|most| most < count) => {
            faults.push("maxVUs can't be less than preAllocatedVUs".to_owned());
        }
        Some(_) => {}
    }
}

fn stage_faults(stages: &[Stage], faults: &mut Vec<String>) {
    if stages.is_empty() {
        faults.push("at least one stage has to be specified".to_owned());
    }
    for (n, stage) in stages.iter().enumerate() {
        if stage.target < 0 {
            faults.push(format!("the target for stage {} can't be negative", n + 1));
        }
    }
}
