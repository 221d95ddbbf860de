//! One request: read, decide, wait, answer.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::{Method, Response, StatusCode};

use crate::body::{Body, BoxError};
use crate::carry_out::Outcome;
use crate::detector::Detector;
use crate::dialect::{self, BadRequest, Call, Question};
use crate::intake::{BodyResult, take_in};
use crate::metrics;
use crate::reply::{Prepared, prepare};
use crate::takeover::ConnectionHandle;
use crate::visit::{self, Entrance, Visit};

/// Maximum size of a request body in bytes.
const BODY_BYTES: usize = 8 << 20;

/// Whether a request is a detection call.
pub(crate) fn detects(detector: &Detector, request: &hyper::Request<Incoming>) -> bool {
    request.method() == Method::POST && dialect::is_call(detector.dialect, request.uri().path())
}

/// Answers a detection call. The state that waits for a delay is small: reading has its own box, which is freed
/// when the request is complete.
pub(crate) fn handle(
    detector: &Arc<Detector>,
    handle: ConnectionHandle,
    request: hyper::Request<Incoming>,
) -> impl Future<Output = Result<Response<Body>, BoxError>> + Send + 'static {
    wait_for(Box::pin(read(detector.clone(), request)), handle)
}

async fn wait_for(
    reading: Pin<Box<impl Future<Output = Result<Reading, BoxError>> + Send>>,
    handle: ConnectionHandle,
) -> Result<Response<Body>, BoxError> {
    // Not in the head of the match, which would keep the box to its end.
    let reading = reading.await?;
    let outcome = match reading {
        Reading::Question(visit, question) => answer(visit, &handle, &question).await,
        Reading::Bad(visit, bad) => visit.refuse(&handle, &bad),
    };
    match outcome {
        Outcome::Respond(response) => Ok(response),
        Outcome::Fail(error) => Err(error),
        // The connection is being taken over, or the request hangs.
        Outcome::Silence => std::future::pending().await,
    }
}

/// The parsed request, in boxes: futures contain their arguments more than once.
enum Reading {
    Question(Box<Visit>, Box<Question>),
    Bad(Box<Visit>, BadRequest),
}

/// Reads the whole request and keeps no reference to the connection's buffer: while the answer waits, the
/// buffer is free, and ten thousand of them are 80 MB.
async fn read(
    detector: Arc<Detector>,
    request: hyper::Request<Incoming>,
) -> Result<Reading, BoxError> {
    let (parts, body) = request.into_parts();
    let taken = take_in(&parts, body, BODY_BYTES).await?;
    let mut visit = Box::new(Visit::begin(&detector, &parts));
    let bad = |status, message: String| BadRequest::new(status, message);
    let body = match taken {
        BodyResult::Whole(body) => body,
        BodyResult::TooLong => {
            let message = format!("the body is longer than {BODY_BYTES} bytes");
            let bad = bad(StatusCode::PAYLOAD_TOO_LARGE, message);
            return Ok(Reading::Bad(visit, bad));
        }
        BodyResult::Malformed(why) => {
            let message = format!("the body cannot be read: {why}");
            return Ok(Reading::Bad(visit, bad(StatusCode::BAD_REQUEST, message)));
        }
    };
    if let Some(name) = visit::unreadable(&parts) {
        let message = format!("{name} must be visible ASCII");
        return Ok(Reading::Bad(visit, bad(StatusCode::BAD_REQUEST, message)));
    }
    let call = Call {
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
        body: &body,
    };
    Ok(match dialect::read(detector.dialect, &call) {
        Ok(question) => {
            visit.know(&parts, &question);
            Reading::Question(visit, Box::new(question))
        }
        Err(bad) => Reading::Bad(visit, bad),
    })
}

async fn answer(mut visit: Box<Visit>, handle: &ConnectionHandle, question: &Question) -> Outcome {
    let mut live = visit.take_profile();
    if let Err(wait) = visit.take_token(&live) {
        visit.entry.fault = metrics::RATE_LIMITED;
        let refusal = Prepared::error(&visit.detector, StatusCode::TOO_MANY_REQUESTS, None);
        return visit.end(handle, refusal.retry_after(wait));
    }
    let mut decision = visit.decide(&live, question);
    let mut worker = None;
    loop {
        let base = match visit.enter(&live, &decision, &mut worker).await {
            Entrance::At(base) => Some(base),
            Entrance::Full(overflow) => return visit.overflow(handle, overflow, question).await,
            Entrance::Changed if live.redraws() => None,
            // Released: it is admitted at once.
            Entrance::Changed => Some(Instant::now()),
        };
        if let Some(base) = base {
            let prepared = prepare(&visit.detector, question, &decision, &visit.request_id);
            let due = visit.plan(base, &decision);
            if visit.wait(due, &live).await {
                return visit.end_decided(handle, prepared, decision);
            }
        }
        live = visit.take_profile();
        decision = visit.decide(&live, question);
    }
}
