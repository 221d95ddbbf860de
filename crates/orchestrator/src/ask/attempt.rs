//! One exchange with one detector: the request, its time limit, and the check of the response.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use detector_api::header as names;
use http::{HeaderValue, Method, Request, header};
use tokio::time::{Instant, timeout_at};

use crate::answer::attested::AttestedAnswer;
use crate::ask::context::Context;
use crate::ask::dialect::Dialect;
use crate::ask::failure::Failure;
use crate::ask::registry::Detector;
use crate::ask::replicas::Replica;
use crate::ask::transport::{Sent, retry_after};

/// The minimum time for an attempt: with less it could only fail.
pub const SHORTEST: Duration = Duration::from_millis(5);

/// The progress of an attempt, which is known even after the attempt is dropped.
#[derive(Debug)]
pub struct Progress {
    /// The number of the attempt in a call, from 1.
    pub number: u32,
    /// Whether it is a hedge: sent while an earlier one is outstanding.
    pub hedge: bool,
    pub started: OnceLock<Instant>,
    /// The time at which a connection took it.
    pub connected: Arc<OnceLock<Instant>>,
}

impl Progress {
    pub fn new(number: u32) -> Self {
        Self {
            number,
            hedge: false,
            started: OnceLock::new(),
            connected: Arc::default(),
        }
    }

    pub fn hedge(number: u32) -> Self {
        Self {
            hedge: true,
            ..Self::new(number)
        }
    }
}

/// The target of an attempt.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub detector: &'a Detector,
    pub replica: &'a Replica,
}

/// One exchange from now on, limited by the detector's timeout or the rest of the deadline.
pub async fn attempt(
    context: &Context,
    target: Target<'_>,
    progress: &Progress,
    now: Instant,
) -> Result<AttestedAnswer, Failure> {
    let detector = target.detector;
    let own = now + detector.settings.timeout;
    let until = own.min(context.deadline);
    if until < now + SHORTEST {
        return Err(Failure::Deadline);
    }
    let made = AtomicBool::new(false);
    let request = || {
        match made.swap(true, Ordering::Relaxed) {
            false => detector.metrics.attempts.inc(),
            true => detector.metrics.stale.inc(),
        }
        request(context, target, until, progress)
    };
    let exchange =
        context
            .transport
            .exchange(detector.origin, request, context.answer_limit_bytes());
    let exchanged = timeout_at(until, exchange).await;
    let Ok(exchanged) = exchanged else {
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
    let dialect = detector.settings.dialect;
    Ok(dialect.read(&exchange.body, request_id, &context.content)?)
}

fn request(
    context: &Context,
    target: Target<'_>,
    until: Instant,
    progress: &Progress,
) -> Request<Sent> {
    let Target { detector, replica } = target;
    let left = until.saturating_duration_since(Instant::now());
    let dialect = detector.settings.dialect;
    let body = context.bodies.of(dialect, &context.content);
    let body_bytes = body.len();
    let mut request = Request::new(Sent::telling(body, progress.connected.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = replica.uri.clone();
    let headers = request.headers_mut();
    headers.clone_from(&context.headers);
    match &replica.host {
        Some(host) => drop(headers.insert(header::HOST, host.clone())),
        None => drop(headers.remove(header::HOST)),
    }
    if dialect != Dialect::Native {
        dialect.head(detector.name(), headers);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body_bytes));
    }
    if progress.number > 1 {
        headers.insert(names::ATTEMPT, HeaderValue::from(progress.number));
    }
    headers.insert(names::DEADLINE_MS, context.deadline_ms.of(left));
    request
}
