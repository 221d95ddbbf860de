//! The handlers, one file per group of routes, and what they share.

pub mod batch;
pub mod breakers;
pub mod cache;
pub mod content;
pub mod detectors;
pub mod docs;
pub mod events;
pub mod health;
pub mod jobs;
pub mod orchestrate;
pub mod plan;
pub mod policies;
pub mod rest;
pub mod resume;
mod sent;

use std::time::{Duration, SystemTime};

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::{HeaderMap, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use detector_api::header as names;
use detector_api::orchestrate::{ErrorCode, ProcessingMode};
use http::HeaderValue;
use tokio::time::{Instant, timeout};

use crate::error::ApiError;
use crate::intake;
use crate::run::Origin;

/// How long a client may take to send its request.
const SENDING: Duration = Duration::from_secs(30);
const MAX_REQUEST_ID: usize = 128;

/// An answer or its error, whose id is the request's.
pub(crate) fn respond<T: IntoResponse>(
    result: Result<T, ApiError>,
    headers: &HeaderMap,
) -> Response {
    match result {
        Ok(answer) => answer.into_response(),
        Err(error) => error.into_response(&request_id(headers)),
    }
}

/// The same for what works on a request's content, with the id in a header as well.
pub(crate) fn identified<T: IntoResponse>(result: Result<T, ApiError>, id: &str) -> Response {
    let mut response = match result {
        Ok(answer) => answer.into_response(),
        Err(error) => error.into_response(id),
    };
    let headers = response.headers_mut();
    headers.insert(names::ORCHESTRATOR_REQUEST_ID, id_value(id));
    response
}

/// The id of a request: the client's own where it is usable, else a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> String {
    let own = headers
        .get(names::REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    match own {
        Some(id) if !id.is_empty() && id.len() <= MAX_REQUEST_ID => id.to_owned(),
        _ => new_id().to_string(),
    }
}

/// A version 7 UUID from the thread's own random numbers: it is no secret, and asking the system
/// for randomness takes longer.
fn new_id() -> uuid::Uuid {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
    uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid()
}

/// Reads the body. The request's time begins when this returns.
///
/// # Errors
/// PAYLOAD_TOO_LARGE, or REQUEST_TIMEOUT for one that does not arrive.
pub(crate) async fn read(request: Request<Body>, limit_bytes: usize) -> Result<Bytes, ApiError> {
    let too_large = || {
        let message = format!("the body is larger than {limit_bytes} bytes; send less at once");
        ApiError::new(ErrorCode::PayloadTooLarge, message)
    };
    // What Content-Length announces, where there is one.
    if request.body().size_hint().lower() > limit_bytes as u64 {
        return Err(too_large());
    }
    match timeout(SENDING, to_bytes(request.into_body(), limit_bytes)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if is_length_limit(&error) => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::invalid("body", "could not be read to its end")),
        Err(_) => Err(ApiError::new(
            ErrorCode::RequestTimeout,
            "the body did not arrive in time",
        )),
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>)
}

/// What belongs to this request alone.
pub(crate) fn origin(headers: &HeaderMap, request_id: String) -> Result<Origin, ApiError> {
    Ok(Origin {
        request_id,
        traceparent: headers.get(names::TRACEPARENT).cloned(),
        idempotency_key: intake::idempotency_key(headers)?,
        started: Instant::now(),
        mode: ProcessingMode::Sync,
        job_id: None,
    })
}

/// Request ids come from header values or are made here: always valid ones.
pub(crate) fn id_value(request_id: &str) -> HeaderValue {
    HeaderValue::from_str(request_id).unwrap_or(HeaderValue::from_static("invalid"))
}
