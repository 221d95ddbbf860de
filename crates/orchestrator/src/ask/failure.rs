//! Reasons why a detector did not answer, and their meaning for breaker, retries and operators.

use std::time::Duration;

use detector_api::orchestrate::DetectorStatus;
use resilience::breaker::{Outcome, Rejected};

use crate::answer::attested::AttestError;
use crate::ask::transport::TransportError;

/// The reason why there is no answer.
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
    /// Cancelled, because its answer could not change the verdict. Never counts as passed.
    #[error("skipped: the verdict could no longer change")]
    NotNeeded,
    /// Left out by the brown-out.
    #[error("skipped: the service is overloaded")]
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

    /// Its name in metrics and timelines.
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
                status: 300..=399, ..
            } => "http_3xx",
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

    /// Whether a call was tried: a detector that is left out on purpose has not failed.
    pub fn was_asked(self) -> bool {
        !matches!(self, Self::NotNeeded | Self::BrownOut)
    }

    /// Whether the detector was reachable.
    pub fn is_communication(self) -> bool {
        matches!(self, Self::Transport(_) | Self::Attest(_))
    }

    /// The time to wait before a retry, if the detector stated one.
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

    /// Whether the content, or the findings in it, were too large. A larger request must not bypass a detector.
    pub fn is_too_much(self) -> bool {
        matches!(
            self,
            Self::Transport(TransportError::TooLong) | Self::Status { status: 413, .. }
        )
    }

    /// Whether it took too long, which may be caused by unusually long content.
    pub fn is_late(self) -> bool {
        matches!(self, Self::Timeout | Self::Deadline)
    }

    /// Its meaning for the detector's health.
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
            // The content may be the cause: one client must not open a breaker for all.
            Self::Transport(TransportError::TooLong)
            | Self::Attest(AttestError::Span | AttestError::Label | AttestError::Contradiction) => {
                Outcome::Ignored
            }
            Self::Transport(_) | Self::Attest(_) | Self::Timeout => Outcome::Failure,
            // The request's deadline was shorter than the detector's timeout.
            Self::Deadline => Outcome::CutOff,
            // No detector was asked, or this service's request was wrong.
            _ => Outcome::Ignored,
        }
    }

    /// Whether a retry can help: never after a client error.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Failure {
        Failure::Status {
            status,
            retry_after: None,
        }
    }

    #[test]
    fn each_kind_of_status_has_its_own_class() {
        for (code, class, outcome) in [
            (301, "http_3xx", Outcome::Ignored),
            (308, "http_3xx", Outcome::Ignored),
            (400, "http_4xx", Outcome::Ignored),
            (408, "http_4xx", Outcome::Failure),
            (429, "http_429", Outcome::Overload),
            (500, "http_5xx", Outcome::Failure),
            (503, "http_5xx", Outcome::Failure),
        ] {
            let failure = status(code);
            assert_eq!((failure.class(), failure.for_breaker()), (class, outcome));
        }
    }

    #[test]
    fn failures_that_content_can_cause_do_not_count_against_the_detector() {
        for failure in [
            Failure::Transport(TransportError::TooLong),
            Failure::Attest(AttestError::Span),
            Failure::Attest(AttestError::Label),
            Failure::Attest(AttestError::Contradiction),
            status(413),
            status(414),
            status(422),
        ] {
            assert_eq!(failure.for_breaker(), Outcome::Ignored, "{failure}");
            assert!(!failure.is_repeatable(), "{failure}");
        }
        for failure in [
            Failure::Transport(TransportError::Truncated),
            Failure::Attest(AttestError::Malformed),
            Failure::Attest(AttestError::Shape),
            Failure::Attest(AttestError::OtherRequest),
            Failure::Attest(AttestError::Score),
            Failure::Timeout,
        ] {
            assert_eq!(failure.for_breaker(), Outcome::Failure, "{failure}");
        }
    }
}
