//! The outcome of a test or a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The result of a test or a run; each result has an exit code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    /// Worse than the run with which it was compared.
    Regression,
    /// Too few requests to decide, or not steady.
    Inconclusive,
    /// A threshold was crossed.
    ThresholdsCrossed,
    /// The measurement itself cannot be trusted, or there is none.
    Untrusted,
    /// Stopped by a signal; the measurements so far are kept.
    Interrupted,
    /// The command line or a file has errors.
    Usage,
    /// A failure of the program or its environment.
    Internal,
    /// The test is running and not judged yet; no process ends with it.
    Running,
}

impl Outcome {
    /// The exit code of the process; an undecided one for a running test. 99 and 105 are k6's.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Regression => 3,
            Self::Inconclusive | Self::Running => 4,
            Self::Untrusted => 5,
            Self::ThresholdsCrossed => 99,
            Self::Interrupted => 105,
        }
    }

    /// The order of severity: the lower, the worse.
    const fn rank(self) -> u8 {
        match self {
            Self::Interrupted => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Untrusted => 3,
            Self::ThresholdsCrossed => 4,
            Self::Regression => 5,
            Self::Inconclusive => 6,
            Self::Running => 7,
            Self::Passed => 8,
        }
    }

    /// The worse of two.
    #[must_use]
    pub const fn worst(self, other: Self) -> Self {
        if other.rank() < self.rank() {
            other
        } else {
            self
        }
    }

    /// The word that a verdict begins with.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Regression => "REGRESSION",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::ThresholdsCrossed => "FAILED",
            Self::Untrusted => "NOT TO BE TRUSTED",
            Self::Interrupted => "INTERRUPTED",
            Self::Usage => "USAGE ERROR",
            Self::Internal => "INTERNAL ERROR",
            Self::Running => "RUNNING, NOT JUDGED YET",
        }
    }
}
