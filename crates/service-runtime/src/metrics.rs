//! Prometheus exposition for one server's registry.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use prometheus::{Encoder, Registry, TextEncoder};

use crate::openmetrics;

/// The registry in the format that a scraper asks for: `OpenMetrics`, or Prometheus' own.
pub fn render_for(registry: &Registry, headers: &HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
    if !openmetrics::is_wanted(&accept.join(",")) {
        return render(registry);
    }
    let content_type = HeaderValue::from_static(openmetrics::CONTENT_TYPE);
    let body = openmetrics::encode(&registry.gather());
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// The registry in Prometheus' text format, as a response.
pub fn render(registry: &Registry) -> Response {
    let encoder = TextEncoder::new();
    let mut body = Vec::with_capacity(16 * 1024);
    if let Err(error) = encoder.encode(&registry.gather(), &mut body) {
        tracing::error!(%error, "metrics cannot be encoded");
        return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}
