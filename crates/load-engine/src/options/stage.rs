//! Stages as they are written: parts of them can be missing.

use std::time::Duration;

use super::Stage;
use super::duration::DurationError;
use super::value::OptionError;

/// A stage before it is known whether it can be used.
#[derive(Debug, Default)]
pub(super) struct RawStage {
    /// An error is a time below zero.
    pub(super) time: Option<Result<Duration, DurationError>>,
    pub(super) target: Option<i64>,
}

/// The stages of the shortcut; one without a duration does not count.
///
/// # Errors
/// When one of the others cannot be used.
pub(super) fn of_shortcut(mut stages: Vec<RawStage>) -> Result<Vec<Stage>, OptionError> {
    stages.retain(|stage| stage.time.is_some());
    of_scenario("default", stages)
}

/// The stages of a scenario.
///
/// # Errors
/// With all faults of all stages.
pub(super) fn of_scenario(name: &str, stages: Vec<RawStage>) -> Result<Vec<Stage>, OptionError> {
    let (mut whole, mut faults) = (Vec::new(), Vec::new());
    for (n, stage) in (1..).zip(stages) {
        let duration = match stage.time {
            Some(Ok(time)) => time,
            Some(Err(_)) => {
                faults.push(format!("the duration for stage {n} can't be negative"));
                Duration::ZERO
            }
            None => {
                faults.push(format!("stage {n} doesn't have a duration"));
                Duration::ZERO
            }
        };
        let target = stage.target.unwrap_or_else(|| {
            faults.push(format!("stage {n} doesn't have a target"));
            0
        });
        // On its own this is found with the other faults of the scenario.
        if target < 0 && !faults.is_empty() {
            faults.push(format!("the target for stage {n} can't be negative"));
        }
        whole.push(Stage { duration, target });
    }
    if faults.is_empty() {
        return Ok(whole);
    }
    Err(refused(name, &faults.join(", ")))
}

/// A scenario that cannot run.
pub(super) fn refused(scenario: &str, faults: &str) -> OptionError {
    OptionError::Plan(format!(
        "There were problems with the specified script configuration:\n\t- scenario {scenario} has \
         configuration errors: {faults}"
    ))
}
