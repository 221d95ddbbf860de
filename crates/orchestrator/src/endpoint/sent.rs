//! A response before it is sent, which can be stored and sent again.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// Status, headers and a JSON body.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether it is stored for repeated requests with the same idempotency key.
    pub is_kept: bool,
}

impl Sent {
    pub(super) fn json(status: u16, body: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        Self {
            status,
            headers,
            body,
            is_kept: true,
        }
    }
}

impl IntoResponse for Sent {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = (status, self.body).into_response();
        *response.headers_mut() = self.headers;
        response
    }
}
