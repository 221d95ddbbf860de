//! One exchange with one detector: what is sent, how long it may take, what is believed.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use detector_api::header as names;
use http::{HeaderValue, Method, Request, header};
use tokio::time::{Instant, timeout_at};

use crate::answer::Answer;
use crate::call::Context;
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

/// One exchange under its own time: the detector's timeout, or what is left of the deadline.
pub async fn attempt(
    context: &Context,
    (detector, replica): (&Detector, &Replica),
    progress: &Progress,
) -> Result<Answer, Failure> {
    let now = Instant::now();
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
    let mut request = Request::new(Sent::telling(body, progress.connected.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = replica.uri.clone();
    let headers = request.headers_mut();
    headers.reserve(8);
    dialect.head(detector.name(), headers);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(host) = &replica.host {
        headers.insert(header::HOST, host.clone());
    }
    headers.insert(names::REQUEST_ID, context.request_id.clone());
    let number = match progress.number {
        1 => HeaderValue::from_static("1"),
        number => HeaderValue::from(number),
    };
    headers.insert(names::ATTEMPT, number);
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
