//! Circuit breaker: closed, open, half_open.
//!
//! [`Config`] sets the thresholds, [`Core`] decides, [`Breaker`] is the shared handle whose permits release
//! themselves on drop.

mod config;
mod core;
mod handle;
#[cfg(test)]
mod model;
#[cfg(test)]
mod slow;
mod window;

use std::fmt;

pub use config::{Config, Window};
pub use core::{Core, Rejected, Report, Ticket};
pub use handle::{Breaker, Permit};
pub use window::Counts;

/// Whether calls are admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Closed,
    Open,
    HalfOpen,
}

impl State {
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Its name in metrics, responses and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The result of a call for the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Failure,
    /// The callee reported overload: counts for the rates and fails a trial, but is not a consecutive failure.
    Overload,
    /// The caller's deadline ended it: it took at least this long, but its result is unknown. Counts as slow if
    /// [`Config`] defines this as slow; else it is ignored.
    CutOff,
    /// Says nothing about the callee: cancelled, or the caller's error.
    Ignored,
}

/// One change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    pub from: State,
    pub to: State,
    pub reason: Reason,
}

/// The reason of a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    ConsecutiveFailures,
    FailureRate,
    SlowCallRate,
    WaitOver,
    LastResortSucceeded,
    TrialsSucceeded,
    TrialsFailed,
    TrialsUndecided,
    Forced,
    Reset,
}

impl Reason {
    /// Its name in metrics, events and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::FailureRate => "failure_rate",
            Self::SlowCallRate => "slow_call_rate",
            Self::WaitOver => "wait_over",
            Self::LastResortSucceeded => "last_resort_succeeded",
            Self::TrialsSucceeded => "trials_succeeded",
            Self::TrialsFailed => "trials_failed",
            Self::TrialsUndecided => "trials_undecided",
            Self::Forced => "forced",
            Self::Reset => "reset",
        }
    }
}
