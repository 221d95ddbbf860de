//! The conditions for baselines, and their keys.

use crate::compare::testbed;
use crate::record::{Conclusion, Outcome, RunRecord};

/// The scope of a baseline: a suite on a testbed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub suite: String,
    /// Twelve hexadecimal digits.
    pub testbed: String,
}

/// The run cannot become a baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{run} cannot become a baseline: {}", reasons.join("; "))]
pub struct Unfit {
    pub run: String,
    pub reasons: Vec<String>,
}

/// The key of a run's baseline.
pub fn key(run: &RunRecord) -> Key {
    Key {
        suite: run.suite.clone(),
        testbed: testbed::fingerprint(run),
    }
}

/// Checks that later runs may be compared with this one. Crossed thresholds are accepted: a baseline states
/// how the system was, not how it should be.
///
/// # Errors
/// The run is incomplete, untrusted, scaled in time, or without requests.
pub fn check(run: &RunRecord) -> Result<(), Unfit> {
    let mut reasons = Vec::new();
    if !run.complete {
        reasons.push("it is not complete".to_owned());
    }
    if matches!(
        run.outcome,
        Outcome::Untrusted
            | Outcome::Interrupted
            | Outcome::Internal
            | Outcome::Usage
            | Outcome::Running
    ) {
        reasons.push(format!("its outcome is {}", run.outcome.word()));
    }
    let entries = run.tests.iter().flat_map(|test| &test.ledger);
    for entry in entries.filter(|entry| entry.conclusion == Conclusion::Invalid) {
        reasons.push(format!("its measurement is not valid: {}", entry.text));
    }
    if run.time_scale != 1.0 {
        reasons.push(format!("it ran at a time scale of {}", run.time_scale));
    }
    if run.tests.iter().all(|test| test.figures.requests == 0) {
        reasons.push("it has no requests".to_owned());
    }
    if reasons.is_empty() {
        Ok(())
    } else {
        Err(Unfit {
            run: run.run.clone(),
            reasons,
        })
    }
}
