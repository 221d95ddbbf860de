//! The handlers, one file per group of routes, and their shared code.

pub mod batch;
pub mod breakers;
pub mod cache;
pub mod content;
pub mod detectors;
pub mod docs;
pub mod events;
pub mod health;
pub mod jobs;
mod once;
pub mod orchestrate;
pub mod plan;
pub mod policies;
pub mod rest;
pub mod resume;
mod sent;

use std::time::{Duration, SystemTime};

use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use detector_api::header as names;
use detector_api::orchestrate::{ErrorCode, ProcessingMode};
use http::{HeaderValue, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout};

use crate::error::ApiError;
use crate::request::envelope::Envelope;
use crate::request::intake;

/// The time limit for receiving a request.
const SENDING: Duration = Duration::from_secs(30);
/// How long an unwanted body is still read: closing the connection while a client sends would discard the
/// response.
const LINGERING: Duration = Duration::from_secs(1);
const MAX_REQUEST_ID: usize = 128;

/// A response or an error, with the request's id.
pub(crate) fn respond<T: IntoResponse>(
    result: Result<T, ApiError>,
    headers: &HeaderMap,
) -> Response {
    match result {
        Ok(answer) => answer.into_response(),
        Err(error) => error.into_response(&request_id(headers)),
    }
}

/// The same for handlers of content, with the id in a header too.
pub(crate) fn identified<T: IntoResponse>(result: Result<T, ApiError>, id: &str) -> Response {
    let mut response = match result {
        Ok(answer) => answer.into_response(),
        Err(error) => error.into_response(id),
    };
    let headers = response.headers_mut();
    headers.insert(names::ORCHESTRATOR_REQUEST_ID, id_value(id));
    response
}

/// The same with the idempotency key that the client sent.
pub(crate) fn echoed(mut response: Response, sent: &HeaderMap) -> Response {
    if let Some(key) = sent.get(names::IDEMPOTENCY_KEY) {
        let headers = response.headers_mut();
        headers.insert(names::IDEMPOTENCY_KEY, key.clone());
    }
    response
}

/// The id of a request: the client's own if it is valid, else a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> String {
    let own = headers
        .get(names::REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    match own {
        Some(id) if !id.is_empty() && id.len() <= MAX_REQUEST_ID => id.to_owned(),
        _ => new_id().to_string(),
    }
}

/// A version 7 UUID from the thread's own random numbers: it is not a secret, and the system's randomness takes
/// longer.
fn new_id() -> uuid::Uuid {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
    uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid()
}

/// Reads the body. The request's time limit begins when this returns.
///
/// # Errors
/// PAYLOAD_TOO_LARGE, or REQUEST_TIMEOUT for one that does not arrive.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limit_bytes: usize,
) -> Result<Bytes, ApiError> {
    // With `Expect: 100-continue` the client sends its body only on request.
    let asks_first = headers.contains_key(header::EXPECT);
    // The announced Content-Length, if there is one.
    let read = if body.size_hint().lower() > limit_bytes as u64 {
        Err(Unread::TooLarge { begun: !asks_first })
    } else {
        let read = timeout(SENDING, Limited::new(&mut body, limit_bytes).collect()).await;
        read.map_err(|_| Unread::Late).and_then(|it| {
            it.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
                Some(_) => Unread::TooLarge { begun: true },
                None => Unread::Broken,
            })
        })
    };
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(Unread::TooLarge { begun }) => {
            if begun {
                let rest = async { while let Some(Ok(_)) = body.frame().await {} };
                drop(timeout(LINGERING, rest).await);
            }
            let message = format!("the body is larger than {limit_bytes} bytes; send less at once");
            Err(ApiError::new(ErrorCode::PayloadTooLarge, message))
        }
        Err(Unread::Broken) => Err(ApiError::invalid("body", "could not be read completely")),
        Err(Unread::Late) => Err(ApiError::new(
            ErrorCode::RequestTimeout,
            "the body did not arrive in time",
        )),
    }
}

/// The reason why there is no body.
enum Unread {
    /// `begun`: the client is sending the body nevertheless.
    TooLarge {
        begun: bool,
    },
    Broken,
    Late,
}

/// The data of this request alone.
pub(crate) fn envelope(headers: &HeaderMap, request_id: String) -> Result<Envelope, ApiError> {
    Ok(Envelope {
        request_id,
        traceparent: headers.get(names::TRACEPARENT).cloned(),
        idempotency_key: intake::idempotency_key(headers)?,
        started: Instant::now(),
        mode: ProcessingMode::Sync,
        job_id: None,
    })
}

/// Request ids come from header values or are generated here, so they are valid.
pub(crate) fn id_value(request_id: &str) -> HeaderValue {
    HeaderValue::from_str(request_id).unwrap_or(HeaderValue::from_static("invalid"))
}
