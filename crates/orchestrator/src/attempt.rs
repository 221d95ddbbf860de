//! One exchange with one detector: what is sent, how long it may take, what is believed.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use detector_api::header as names;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use tokio::time::{Instant, timeout_at};

use crate::answer::Answer;
use crate::call::Context;
use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::registry::Detector;
use crate::replicas::Replica;
use crate::transport::{Sent, retry_after};

/// An attempt with less time than this is not begun: it could only fail.
pub const SHORTEST: Duration = Duration::from_millis(5);

/// How far an attempt has got; who drops the attempt still knows.
#[derive(Debug)]
pub struct Progress {
    /// From 1 in each detector's part of a request.
    pub number: u32,
    /// Sent beside an earlier one that is still out.
    pub hedge: bool,
    pub started: OnceLock<Instant>,
    /// When there was a connection to send it on.
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

/// The header that says how much time is left. The attempts of one request begin together, and
/// mostly share one.
#[derive(Debug, Clone, Default)]
pub struct DeadlineMs(OnceLock<(u64, HeaderValue)>);

impl DeadlineMs {
    fn of(&self, left: Duration) -> HeaderValue {
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let (first_ms, value) = self.0.get_or_init(|| (left_ms, HeaderValue::from(left_ms)));
        if left_ms == *first_ms {
            value.clone()
        } else {
            HeaderValue::from(left_ms)
        }
    }
}

/// One exchange from now on under its own time: the detector's timeout, or what is left of the
/// deadline.
pub async fn attempt(
    context: &Context,
    (detector, replica): (&Detector, &Replica),
    (progress, now): (&Progress, Instant),
) -> Result<Answer, Failure> {
    let own = now + detector.settings.timeout;
    let until = own.min(context.deadline);
    if until < now + SHORTEST {
        return Err(Failure::Deadline);
    }
    let request = request(context, (detector, replica), until - now, progress);
    let exchange = context
        .transport
        .exchange(detector.origin, request, context.answer_bytes);
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
    (detector, replica): (&Detector, &Replica),
    left: Duration,
    progress: &Progress,
) -> Request<Sent> {
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

/// What all attempts of one request send. Those that each replaces are there already: looking up
/// eight names for each attempt, and the memory for them, was a part of its cost.
pub fn headers(
    request_id: &HeaderValue,
    native_bytes: usize,
    tenant: Option<HeaderValue>,
    traceparent: Option<HeaderValue>,
) -> HeaderMap {
    let replaced = HeaderValue::from_static("");
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::HOST, replaced.clone());
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(native_bytes));
    headers.insert(names::REQUEST_ID, request_id.clone());
    headers.insert(names::ATTEMPT, HeaderValue::from_static("1"));
    headers.insert(names::DEADLINE_MS, replaced);
    headers.extend(tenant.map(|value| (names::TENANT_ID, value)));
    headers.extend(traceparent.map(|value| (names::TRACEPARENT, value)));
    headers
}
