//! Errors as the client sees them: one code, one status, one line to act on, never content.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use detector_api::orchestrate::{ErrorBody, ErrorCode};
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::request::limit;
use job_store::rate_limit::Decision;

/// An error on its way to the client; the request id is added where it is known.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub code: ErrorCode,
    pub message: String,
    pub details: Option<Value>,
    pub retry_after: Option<Duration>,
    /// Set for a rate limit: its headers and the status.
    limited: Option<(Decision, u16)>,
}

impl ApiError {
    /// A broken invariant ended the work.
    pub fn broken() -> Self {
        Self::new(
            ErrorCode::InternalError,
            "the request could not be processed",
        )
    }

    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: None,
            retry_after: None,
            limited: None,
        }
    }

    /// The request is invalid at `field`.
    pub fn invalid(field: &str, message: &str) -> Self {
        let error = Self::new(ErrorCode::InvalidRequest, format!("{field}: {message}"));
        error.with_details(serde_json::json!({ "field": field }))
    }

    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Refused by a rate limit, with this status.
    #[must_use]
    pub fn limited(mut self, decision: Decision, status: u16) -> Self {
        self.limited = Some((decision, status));
        self.after(decision.retry_after)
    }

    pub fn status(&self) -> StatusCode {
        let asked = self
            .limited
            .and_then(|(_, status)| StatusCode::from_u16(status).ok());
        asked.unwrap_or_else(|| status_of(self.code))
    }

    /// The body as defined by the contract.
    pub fn body(&self, request_id: &str) -> ErrorBody {
        ErrorBody {
            error_code: self.code,
            message: self.message.clone(),
            request_id: request_id.to_owned(),
            retryable: is_retryable(self.code),
            details: self.details.clone(),
        }
    }

    /// The body as JSON.
    pub fn json(&self, request_id: &str) -> Bytes {
        let body = self.body(request_id);
        serde_json::to_vec(&body)
            .expect("an error body has only string keys")
            .into()
    }

    pub fn into_response(self, request_id: &str) -> Response {
        let mut response = (self.status(), self.json(request_id)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if let Some((decision, _)) = self.limited {
            limit::tell(&decision, headers);
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidRequest | ErrorCode::PolicyNotFound => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::InsufficientRbac => StatusCode::FORBIDDEN,
        ErrorCode::RateLimited | ErrorCode::DetectorOverloaded => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::NotFound | ErrorCode::JobNotFound | ErrorCode::DetectorNotFound => {
            StatusCode::NOT_FOUND
        }
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        ErrorCode::IdempotencyConflict | ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::AllDetectorsUnavailable | ErrorCode::DetectorCommunicationFailed => {
            StatusCode::BAD_GATEWAY
        }
        ErrorCode::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::AggregationFailed | ErrorCode::InternalError => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        ErrorCode::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorCode::PartialCoverage => StatusCode::PARTIAL_CONTENT,
    }
}

fn is_retryable(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::RateLimited
            | ErrorCode::RequestTimeout
            | ErrorCode::DetectorOverloaded
            | ErrorCode::AllDetectorsUnavailable
            | ErrorCode::DetectorCommunicationFailed
            | ErrorCode::Overloaded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_contracts_status_and_retryability() {
        for (code, status, retryable) in [
            (ErrorCode::InvalidRequest, 400, false),
            (ErrorCode::PolicyNotFound, 400, false),
            (ErrorCode::Unauthorized, 401, false),
            (ErrorCode::InsufficientRbac, 403, false),
            (ErrorCode::RateLimited, 429, true),
            (ErrorCode::JobNotFound, 404, false),
            (ErrorCode::RequestTimeout, 408, true),
            (ErrorCode::IdempotencyConflict, 409, false),
            (ErrorCode::PayloadTooLarge, 413, false),
            (ErrorCode::UnsupportedMediaType, 415, false),
            (ErrorCode::DetectorOverloaded, 429, true),
            (ErrorCode::AllDetectorsUnavailable, 502, true),
            (ErrorCode::DetectorCommunicationFailed, 502, true),
            (ErrorCode::Overloaded, 503, true),
            (ErrorCode::AggregationFailed, 500, false),
        ] {
            let error = ApiError::new(code, "x");
            let found = (error.status().as_u16(), error.body("r").retryable);
            assert_eq!(found, (status, retryable), "{code:?}");
        }
    }

    #[test]
    fn a_wait_is_reported_in_whole_seconds_rounded_up() {
        let error = ApiError::new(ErrorCode::Overloaded, "x").after(Duration::from_millis(1_200));
        let response = error.into_response("r");
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
