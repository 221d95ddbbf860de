//! `GET /`, `/openapi.json` and `/docs`: an overview, the API's description, and a page to try it.

use axum::Router;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, header};
use service_runtime::api_page;

const OPENAPI: &str = include_str!("../../openapi.json");

/// Paths for a browser, and their purpose.
const LINKS: [(&str, &str); 9] = [
    ("/docs", "the API, interactive"),
    ("/openapi.json", "its description, OpenAPI 3.1"),
    ("/health", "the health of the service"),
    ("/health/ready", "whether it accepts requests"),
    ("/metrics", "metrics for Prometheus"),
    ("/detectors", "the detectors"),
    ("/circuit-breakers", "their circuit breakers"),
    ("/events/incidents", "recent incidents"),
    ("/events/stream", "events as they happen"),
];

pub async fn index() -> Html<String> {
    let about = concat!(
        "The detector orchestrator of sparring ",
        env!("CARGO_PKG_VERSION"),
        ": it sends one request to many detectors and responds within a deadline."
    );
    api_page::index("Detector orchestration", about, &LINKS)
}

pub async fn openapi() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], OPENAPI).into_response()
}

pub fn page<S: Clone + Send + Sync + 'static>() -> Router<S> {
    api_page::routes("Detector orchestration", "/docs", "/openapi.json")
}
