//! Stages as written: parts may be missing.

use std::time::Duration;

use super::Stage;
use super::duration::DurationError;
use super::value::OptionError;

/// A stage before validation.
#[derive(Debug, Default)]
pub(super) struct RawStage {
    /// An error is a negative duration.
    pub(super) time: Option<Result<Duration, DurationError>>,
    pub(super) target: Option<i64>,
}

/// The stages of the shortcut; one without a duration is ignored.
///
/// # Errors
/// One of the other stages is invalid.
pub(super) fn of_shortcut(mut stages: Vec<RawStage>) -> Result<Vec<Stage>, OptionError> {
    stages.retain(|stage| stage.time.is_some());
    of_scenario("default", stages)
}

/// The stages of a scenario.
///
/// # Errors
/// All errors of all stages.
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
        // A negative duration alone is reported with the other errors of the scenario.
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

/// The error of an invalid scenario.
pub(super) fn refused(scenario: &str, faults: &str) -> OptionError {
    OptionError::Plan(format!(
        "There were problems with the specified script configuration:\n\t- scenario {scenario} has \
         configuration errors: {faults}"
    ))
}
