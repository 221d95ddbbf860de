//! Why a detector gave no answer, and what that means for breaker, retries and people.

use std::time::Duration;

use detector_api::orchestrate::DetectorStatus;
use resilience::breaker::{Outcome, Rejected};

use crate::answer::AttestError;
use crate::transport::TransportError;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Transport(#[from] TransportError),
    #[error("no answer within the detector's timeout")]
    Timeout,
    #[error("no answer before the request's deadline")]
    Deadline,
    #[error("answered with status {status}")]
    Status {
        status: u16,
        retry_after: Option<Duration>,
    },
    #[error("answer refused: {0}")]
    Attest(#[from] AttestError),
    #[error("{0}")]
    Breaker(#[from] Rejected),
    #[error("too many calls in flight")]
    Busy,
    #[error("out of rotation after failed health checks")]
    OutOfRotation,
    #[error("no detector of this name is registered")]
    Unknown,
    /// Not asked to the end, because its answer could change nothing. Never counts as passed.
    #[error("not needed: the verdict could not change any more")]
    NotNeeded,
    /// Left out so that there is time for those worth more.
    #[error("not asked: the service has too much to do")]
    BrownOut,
}

impl Failure {
    pub fn status(self) -> DetectorStatus {
        match self {
            Self::Timeout | Self::Deadline => DetectorStatus::Timeout,
            Self::Breaker(_) | Self::Busy | Self::OutOfRotation | Self::Unknown => {
                DetectorStatus::Unavailable
            }
            Self::NotNeeded | Self::BrownOut => DetectorStatus::Skipped,
            Self::Transport(_) | Self::Status { .. } | Self::Attest(_) => DetectorStatus::Failed,
        }
    }

    /// The word for it in metrics and timelines.
    pub fn class(self) -> &'static str {
        match self {
            Self::Transport(TransportError::Connect) => "connect",
            Self::Transport(TransportError::Reset) => "reset",
            Self::Transport(TransportError::Truncated) => "truncated",
            Self::Transport(TransportError::TooLong) => "too_long",
            Self::Timeout => "timeout",
            Self::Deadline => "deadline",
            Self::Status { status: 429, .. } => "http_429",
            Self::Status {
                status: 400..=499, ..
            } => "http_4xx",
            Self::Status { .. } => "http_5xx",
            Self::Attest(AttestError::Malformed) => "malformed",
            Self::Attest(_) => "bad_shape",
            Self::Breaker(_) => "breaker",
            Self::Busy => "bulkhead",
            Self::OutOfRotation => "out_of_rotation",
            Self::Unknown => "unknown",
            Self::NotNeeded => "not_needed",
            Self::BrownOut => "brown_out",
        }
    }

    /// Whether anybody tried: who is left out on purpose has not failed.
    pub fn was_asked(self) -> bool {
        !matches!(self, Self::NotNeeded | Self::BrownOut)
    }

    /// Whether the detector could be reached at all.
    pub fn is_communication(self) -> bool {
        matches!(self, Self::Transport(_) | Self::Attest(_))
    }

    /// When another try makes sense, where somebody said so.
    pub fn wait(self) -> Option<Duration> {
        match self {
            Self::Breaker(rejected) => Some(rejected.retry_after),
            _ => self.retry_after(),
        }
    }

    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => retry_after,
            _ => None,
        }
    }

    /// What it says about the detector's health.
    pub fn for_breaker(self) -> Outcome {
        match self {
            Self::Status { status: 429, .. }
            | Self::Status {
                status: 503,
                retry_after: Some(_),
            } => Outcome::Overload,
            Self::Status {
                status: 408 | 500..,
                ..
            } => Outcome::Failure,
            Self::Transport(_) | Self::Attest(_) | Self::Timeout => Outcome::Failure,
            // Our own deadline was shorter than the detector's timeout.
            Self::Deadline => Outcome::CutOff,
            // Nobody was asked, or our request was wrong.
            _ => Outcome::Ignored,
        }
    }

    /// Whether repeating it can help: never what was answered as our fault.
    pub fn is_repeatable(self) -> bool {
        match self {
            Self::Transport(TransportError::Connect | TransportError::Reset) | Self::Timeout => {
                true
            }
            Self::Status {
                status,
                retry_after,
            } => match status {
                502..=504 => true,
                429 => retry_after.is_some(),
                _ => false,
            },
            _ => false,
        }
    }
}
