//! Prometheus exposition for one server's registry.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, Registry, TextEncoder};

use crate::openmetrics;

/// The registry in the format that a scraper requests: `OpenMetrics`, or Prometheus' own.
pub fn render_for(registry: &Registry, headers: &HeaderMap) -> Response {
    render_families(&registry.gather(), headers)
}

/// The registry in Prometheus' text format, as a response.
pub fn render(registry: &Registry) -> Response {
    render_text(&registry.gather())
}

/// Families in the format that a scraper requests.
pub fn render_families(families: &[MetricFamily], headers: &HeaderMap) -> Response {
    if !wants_open_metrics(headers) {
        return render_text(families);
    }
    let content_type = HeaderValue::from_static(openmetrics::CONTENT_TYPE);
    (
        [(header::CONTENT_TYPE, content_type)],
        openmetrics::encode(families),
    )
        .into_response()
}

fn wants_open_metrics(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
    openmetrics::is_wanted(&accept.join(","))
}

fn render_text(families: &[MetricFamily]) -> Response {
    let encoder = TextEncoder::new();
    let mut body = Vec::with_capacity(16 * 1024);
    if let Err(error) = encoder.encode(families, &mut body) {
        tracing::error!(%error, "metrics cannot be encoded");
        return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}
