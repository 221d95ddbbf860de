//! One request: read, decide, wait, answer.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::{Method, Response, StatusCode};

use crate::body::{Body, BoxError};
use crate::carry_out::Outcome;
use crate::connection::Line;
use crate::detector::Detector;
use crate::dialect::{self, BadRequest, Call, Question};
use crate::metrics;
use crate::reply::{Prepared, prepare};
use crate::server::Site;
use crate::visit::{Entrance, Visit};

/// Bodies may be this long.
const BODY_BYTES: usize = 8 << 20;

/// Whether a request is a call that detects.
pub(crate) fn detects(detector: &Detector, request: &hyper::Request<Incoming>) -> bool {
    request.method() == Method::POST && dialect::is_call(detector.dialect, request.uri().path())
}

/// Answers a call that detects. What waits for a delay is kept small: the reading lies in a box of
/// its own, which is given back when the request is there.
pub(crate) fn handle(
    site: &Site,
    line: Line,
    request: hyper::Request<Incoming>,
) -> impl Future<Output = Result<Response<Body>, BoxError>> + Send + 'static {
    wait_for(Box::pin(read(site.detector.clone(), request)), line)
}

async fn wait_for(
    reading: Pin<Box<impl Future<Output = Result<Reading, BoxError>> + Send>>,
    line: Line,
) -> Result<Response<Body>, BoxError> {
    // Not in the head of the match, which would keep the box to its end.
    let reading = reading.await?;
    let outcome = match reading {
        Reading::Question(visit, question) => answer(visit, &line, &question).await,
        Reading::Bad(visit, bad) => visit.refuse(&line, &bad),
    };
    match outcome {
        Outcome::Respond(response) => Ok(response),
        Outcome::Fail(error) => Err(error),
        // The connection is being taken over, or the request hangs.
        Outcome::Silence => std::future::pending().await,
    }
}

/// What was read, in boxes: futures hold what they are given more than once.
enum Reading {
    Question(Box<Visit>, Box<Question>),
    Bad(Box<Visit>, BadRequest),
}

/// Takes in the whole request and keeps nothing of it that lies in the connection's buffer: while
/// the answer waits, that is free for what comes next, and ten thousand buffers are 80 MB.
async fn read(
    detector: Arc<Detector>,
    request: hyper::Request<Incoming>,
) -> Result<Reading, BoxError> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("the body is longer than {BODY_BYTES} bytes");
            let bad = BadRequest::new(StatusCode::PAYLOAD_TOO_LARGE, message);
            return Ok(Reading::Bad(Box::new(Visit::begin(&detector, &parts)), bad));
        }
        Err(error) => return Err(error),
    };
    let mut visit = Box::new(Visit::begin(&detector, &parts));
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

async fn answer(mut visit: Box<Visit>, line: &Line, question: &Question) -> Outcome {
    let mut live = visit.take_profile();
    if let Err(wait) = visit.take_token(&live) {
        visit.entry.fault = metrics::RATE_LIMITED;
        let refusal = Prepared::error(&visit.detector, StatusCode::TOO_MANY_REQUESTS, None);
        return visit.end(line, refusal.retry_after(wait));
    }
    let mut decision = visit.decide(&live, question);
    let mut worker = None;
    loop {
        let base = match visit.enter(&live, &decision, &mut worker).await {
            Entrance::At(base) => Some(base),
            Entrance::Full(overflow) => return visit.overflow(line, overflow, question).await,
            Entrance::Changed if live.redraws() => None,
            // Released: it is let in at once.
            Entrance::Changed => Some(Instant::now()),
        };
        if let Some(base) = base {
            let prepared = prepare(&visit.detector, question, &decision, &visit.request_id);
            let due = visit.plan(base, &decision);
            if visit.wait(due, &live).await {
                return visit.end_decided(line, prepared, decision);
            }
        }
        live = visit.take_profile();
        decision = visit.decide(&live, question);
    }
}
