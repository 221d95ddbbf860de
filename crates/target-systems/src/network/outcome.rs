//! The outcomes of requests and visits.

use std::sync::Arc;
use std::time::Duration;

/// The cause of a failure; its name is shared by responses, journal and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    BadRequest,
    NotFound,
    Conflict,
    RateLimited,
    QueueFull,
    QueueTimeout,
    PoolExhausted,
    Timeout,
    Crashed,
    Unavailable,
    DiskFull,
    Injected,
    /// By a `fail` step of the flow.
    Declared(Arc<str>),
}

impl Cause {
    pub(super) const KINDS: usize = 12;
    /// All causes except the declared ones.
    pub(crate) const ALL: [Self; Self::KINDS] = [
        Self::BadRequest,
        Self::NotFound,
        Self::Conflict,
        Self::RateLimited,
        Self::QueueFull,
        Self::QueueTimeout,
        Self::PoolExhausted,
        Self::Timeout,
        Self::Crashed,
        Self::Unavailable,
        Self::DiskFull,
        Self::Injected,
    ];

    /// A sentence for the client.
    pub(crate) const fn detail(&self) -> &'static str {
        match self {
            Self::BadRequest => "the request has no valid id",
            Self::NotFound => "no such entry",
            Self::Conflict => "the entry is in another state",
            Self::RateLimited => "too many requests in a short time",
            Self::QueueFull => "the queue of the system is full",
            Self::QueueTimeout => "the request waited too long for a worker",
            Self::PoolExhausted => "no connection was free in time",
            Self::Timeout => "the request was not done before its deadline",
            Self::Crashed => "the instance that worked on the request crashed",
            Self::Unavailable => "no instance is up",
            Self::DiskFull => "no space to store the data",
            Self::Injected => "a fault was injected",
            Self::Declared(_) => "the flow of the endpoint ends here",
        }
    }

    /// The index in `ALL`; after its end for a declared cause.
    pub(super) fn place(&self) -> usize {
        let same = |cause: &Self| cause == self;
        Self::ALL.iter().position(same).unwrap_or(Self::KINDS)
    }

    /// The `error_type`.
    pub fn name(&self) -> &str {
        match self {
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::QueueFull => "queue_full",
            Self::QueueTimeout => "queue_timeout",
            Self::PoolExhausted => "pool_exhausted",
            Self::Timeout => "timeout",
            Self::Crashed => "crashed",
            Self::Unavailable => "unavailable",
            Self::DiskFull => "disk_full",
            Self::Injected => "injected",
            Self::Declared(name) => name,
        }
    }

    /// The default status of the cause.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::RateLimited => 429,
            Self::QueueFull | Self::QueueTimeout | Self::Unavailable => 503,
            Self::PoolExhausted | Self::Injected | Self::Declared(_) => 500,
            Self::Timeout => 504,
            Self::Crashed => 502,
            Self::DiskFull => 507,
        }
    }
}

/// A failure with its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub cause: Cause,
    pub status: u16,
    /// Sent as `Retry-After`, rounded up to seconds.
    pub retry_after: Option<Duration>,
    /// The connection is closed without a response.
    pub close: bool,
    /// Details of an invalid request, if known.
    pub detail: Option<Arc<str>>,
}

impl Failed {
    /// A failure with the default status of its cause.
    pub(super) fn new(cause: Cause) -> Self {
        Self {
            status: cause.status(),
            cause,
            retry_after: None,
            close: false,
            detail: None,
        }
    }

    pub(super) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(super) fn saying(self, detail: &str) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    pub(super) fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }
}

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Succeeded {
        status: u16,
    },
    Failed(Failed),
    /// Its client disconnected.
    Left,
}

impl Outcome {
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Succeeded { status } => Some(*status),
            Self::Failed(failed) => Some(failed.status),
            Self::Left => None,
        }
    }

    /// The `error_type`; `None` for success and for disconnected clients.
    pub fn error_type(&self) -> Option<&str> {
        match self {
            Self::Failed(failed) => Some(failed.cause.name()),
            Self::Succeeded { .. } | Self::Left => None,
        }
    }

    pub fn is_success(&self) -> bool {
        matches!(self, Self::Succeeded { .. })
    }
}
