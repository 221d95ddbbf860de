//! Circuit breaker: closed, open, half_open.
//!
//! [`Config`] says when it trips, [`Core`] decides, [`Breaker`] is the shared handle whose permits
//! give themselves back when dropped.

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

/// Whether calls are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Closed,
    Open,
    HalfOpen,
}

impl State {
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The word for it in metrics, answers and logs.
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

/// What became of a call, as far as the breaker is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Failure,
    /// The called side said that it has too much to do: counts for the rates and fails a trial,
    /// but is no failure in a row.
    Overload,
    /// Our own deadline ended it: known to take at least so long, not known to fail. Counts, as
    /// slow, only where [`Config`] calls that slow; else it is ignored.
    CutOff,
    /// Says nothing about the called side: cancelled, or our own fault.
    Ignored,
}

/// One change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    pub from: State,
    pub to: State,
    pub reason: Reason,
}

/// Why a state changed.
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
    /// The word for it in metrics, events and logs.
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
