//! One detector's part in a request: breaker, bulkhead, attempts under the budget, all before one
//! deadline. Ends by the deadline whatever the detector does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use detector_api::header as names;
use detector_api::orchestrate::{AttemptTimeline, DetectorStatus, DetectorTimeline};
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use resilience::breaker::{Outcome, Rejected};
use tokio::time::{Instant, timeout_at};

use crate::answer::{self, Answer, AttestError};
use crate::metrics::{Metrics, milliseconds};
use crate::registry::Detector;
use crate::transport::{Transport, TransportError, retry_after};

/// An attempt with less time than this is not begun: it could only fail.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(5);

/// What every call of one fan-out shares.
pub struct Context {
    pub transport: Transport,
    pub metrics: Arc<Metrics>,
    pub content: Arc<str>,
    /// The body in the native dialect, made once.
    pub body: Bytes,
    pub request_id: HeaderValue,
    pub tenant: Option<HeaderValue>,
    pub traceparent: Option<HeaderValue>,
    /// When the request came in.
    pub started: Instant,
    /// When calls must have ended; some time before the client's own deadline.
    pub deadline: Instant,
    pub answer_bytes: usize,
}

/// How one detector's part ended.
pub struct Called {
    pub outcome: Result<Answer, Failure>,
    pub timeline: DetectorTimeline,
    pub duration: Duration,
    pub attempts: u32,
    pub hedged: bool,
}

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
}

impl Failure {
    pub fn status(self) -> DetectorStatus {
        match self {
            Self::Timeout | Self::Deadline => DetectorStatus::Timeout,
            Self::Breaker(_) | Self::Busy | Self::OutOfRotation | Self::Unknown => {
                DetectorStatus::Unavailable
            }
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
        }
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

    fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => retry_after,
            _ => None,
        }
    }

    /// What it says about the detector's health.
    fn for_breaker(self) -> Outcome {
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
            // Our own deadline was shorter than the detector's timeout, or our request was wrong.
            _ => Outcome::Ignored,
        }
    }

    /// Whether repeating it can help: never what was answered as our fault.
    fn is_repeatable(self) -> bool {
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

/// Asks one detector, repeating where that is allowed, and ends by the context's deadline.
pub async fn call(context: &Context, detector: &Detector) -> Called {
    let started = Instant::now();
    let mut log = Log::new(context, detector.name(), started);
    let outcome = if detector.is_in_rotation() {
        attempts(context, detector, &mut log).await
    } else {
        Err(Failure::OutOfRotation)
    };
    let duration = started.elapsed();
    let status = outcome
        .as_ref()
        .map_or_else(|failure| failure.status(), |_| DetectorStatus::Success);
    detector.metrics.answered(status, duration);
    log.timeline.end_ms = log.at(Instant::now());
    Called {
        outcome,
        duration,
        attempts: log.attempts,
        timeline: log.timeline,
        hedged: false,
    }
}

async fn attempts(
    context: &Context,
    detector: &Detector,
    log: &mut Log,
) -> Result<Answer, Failure> {
    detector.budget.deposit(Instant::now().into_std());
    let mut retries = 0;
    loop {
        let failure = match guarded(context, detector, log).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        retries += 1;
        if !failure.is_repeatable() || retries > detector.settings.max_retries {
            return Err(failure);
        }
        let Some(wait) = leave_to_retry(context, detector, failure, retries) else {
            return Err(failure);
        };
        detector.metrics.retries.inc();
        tokio::time::sleep(wait).await;
    }
}

/// The wait before the next attempt; `None` when there must be none. The budget is charged here,
/// when the decision is made.
fn leave_to_retry(
    context: &Context,
    detector: &Detector,
    failure: Failure,
    retry: u32,
) -> Option<Duration> {
    let retrying = &detector.settings.retry;
    let wait = failure
        .retry_after()
        .unwrap_or_else(|| retrying.backoff(retry, &mut rand::rng()));
    let now = Instant::now();
    if now + wait + SHORTEST_ATTEMPT > context.deadline {
        return None;
    }
    // A detector that fails most of its calls is down, not unlucky.
    let counts = detector.breaker.counts();
    if counts.calls >= detector.settings.breaker.minimum_calls && counts.failure_rate() > 0.5 {
        return None;
    }
    if !detector.budget.withdraw(now.into_std()) {
        detector.metrics.budget_exhausted.inc();
        return None;
    }
    Some(wait)
}

/// One attempt behind breaker and bulkhead. Both are given back if it is cancelled.
async fn guarded(context: &Context, detector: &Detector, log: &mut Log) -> Result<Answer, Failure> {
    let permit = detector.breaker.acquire()?;
    let queued = Instant::now();
    let Ok(_place) = detector.bulkhead.enter(context.deadline).await else {
        detector.metrics.bulkhead_rejected.inc();
        return Err(Failure::Busy);
    };
    let started = Instant::now();
    log.timeline.queued_ms += milliseconds(started - queued);
    let _counted = InFlight::enter(detector);
    log.attempts += 1;
    let outcome = attempt(context, detector, log.attempts).await;
    let elapsed = started.elapsed();
    let (said, asked) = match &outcome {
        Ok(_) => (Outcome::Success, None),
        Err(failure) => {
            context
                .metrics
                .failed_attempt(detector.name(), failure.class());
            (failure.for_breaker(), failure.retry_after())
        }
    };
    permit.report(said, elapsed, asked);
    log.attempted(
        started,
        outcome
            .as_ref()
            .map_or_else(|failure| failure.class(), |_| "success"),
    );
    outcome
}

/// One exchange under its own time: the detector's timeout, or what is left of the deadline.
async fn attempt(context: &Context, detector: &Detector, number: u32) -> Result<Answer, Failure> {
    let now = Instant::now();
    let own = now + detector.settings.timeout;
    let until = own.min(context.deadline);
    if until < now + SHORTEST_ATTEMPT {
        return Err(Failure::Deadline);
    }
    let request = request(context, detector, until - now, number);
    let exchange = context
        .transport
        .exchange(detector.origin, request, context.answer_bytes);
    let Ok(exchanged) = timeout_at(until, exchange).await else {
        return Err(if own <= context.deadline {
            Failure::Timeout
        } else {
            Failure::Deadline
        });
    };
    let exchange = exchanged?;
    if !exchange.status.is_success() {
        return Err(Failure::Status {
            status: exchange.status.as_u16(),
            retry_after: retry_after(&exchange.headers),
        });
    }
    let request_id = context.request_id.to_str().unwrap_or("");
    Ok(answer::native(
        &exchange.body,
        request_id,
        &context.content,
    )?)
}

fn request(
    context: &Context,
    detector: &Detector,
    left: Duration,
    number: u32,
) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(context.body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = detector.settings.endpoint.clone();
    let headers = request.headers_mut();
    headers.reserve(8);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(names::REQUEST_ID, context.request_id.clone());
    headers.insert(names::ATTEMPT, HeaderValue::from(number));
    let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    headers.insert(names::DEADLINE_MS, HeaderValue::from(left_ms));
    if let Some(tenant) = &context.tenant {
        headers.insert(names::TENANT_ID, tenant.clone());
    }
    if let Some(traceparent) = &context.traceparent {
        headers.insert(names::TRACEPARENT, traceparent.clone());
    }
    request
}

/// Where the time went, as it goes.
struct Log {
    epoch: Instant,
    attempts: u32,
    timeline: DetectorTimeline,
}

impl Log {
    fn new(context: &Context, detector: &str, started: Instant) -> Self {
        let start_ms = since(context.started, started);
        Self {
            epoch: context.started,
            attempts: 0,
            timeline: DetectorTimeline {
                detector: detector.to_owned(),
                start_ms,
                end_ms: start_ms,
                queued_ms: 0.0,
                attempts: Vec::new(),
            },
        }
    }

    fn at(&self, instant: Instant) -> f64 {
        since(self.epoch, instant)
    }

    fn attempted(&mut self, started: Instant, outcome: &str) {
        let attempt = AttemptTimeline {
            start_ms: self.at(started),
            end_ms: self.at(Instant::now()),
            outcome: outcome.to_owned(),
        };
        self.timeline.attempts.push(attempt);
    }
}

/// Milliseconds with microseconds' precision: more digits would only be noise on the wire.
fn since(epoch: Instant, instant: Instant) -> f64 {
    (milliseconds(instant.saturating_duration_since(epoch)) * 1e3).round() / 1e3
}

/// Counts a call while it runs, even if it is cancelled.
struct InFlight<'a>(&'a Detector);

impl<'a> InFlight<'a> {
    fn enter(detector: &'a Detector) -> Self {
        detector.metrics.in_flight.inc();
        Self(detector)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.metrics.in_flight.dec();
    }
}
