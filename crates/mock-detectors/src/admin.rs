//! Health, metrics and the admin API.

mod described;
mod observe;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use detector_api::dialect::Dialect;
use fault_profile::listener::Admin;

use service_runtime::api_page;
use simulated_server::Simulated;

use crate::detector::Detector;
use crate::dialect::{self, ErrorReply, presidio};

pub(crate) type Shared = State<Arc<Detector>>;

/// The additional operations of a mock's admin API, as OpenAPI paths.
const OWN_ADMIN: &str = include_str!("../admin.json");

/// Everything except detection calls.
pub(crate) fn router(detector: Arc<Detector>, authority_pem: Option<String>) -> Router {
    let mut open = Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/", get(index).fallback(unknown))
        .route("/openapi.json", get(openapi))
        .merge(api_page::routes::<Arc<Detector>>(
            &detector.name,
            "/docs",
            "/openapi.json",
        ))
        .fallback(unknown)
        .with_state(detector.clone());
    if detector.dialect == Dialect::Presidio {
        open = open
            .route(
                "/recognizers",
                get(|| async { Json(presidio::recognizers()) }),
            )
            .route(
                "/supportedentities",
                get(|| async { Json(presidio::supported_entities()) }),
            );
    }
    if let Some(pem) = authority_pem {
        let show = get(|| async { ([(header::CONTENT_TYPE, "application/x-pem-file")], pem) });
        open = open.route("/__admin/authority.pem", show);
    }
    match detector.listener.admin {
        Admin::SamePort => open.merge(admin_router(detector)),
        Admin::Port(_) | Admin::Off => open,
    }
}

/// The admin API alone.
pub(crate) fn admin_router(detector: Arc<Detector>) -> Router {
    Router::new()
        .route("/__admin/plan", get(observe::plan))
        .route("/__admin/record", post(observe::record))
        .with_state(detector.clone())
        .merge(simulated_server::admin::described(
            &detector.name,
            OWN_ADMIN,
            detector.schema(),
        ))
        .merge(simulated_server::admin::router(detector))
}

/// An overview of the server, with links.
async fn index(State(detector): Shared) -> Response {
    let mut rows = vec![
        ("/docs", "the detector's API, interactive"),
        ("/openapi.json", "its description, OpenAPI 3.1"),
        ("/health", "its health"),
        ("/metrics", "metrics for Prometheus"),
    ];
    if matches!(detector.listener.admin, Admin::SamePort) {
        rows.push(("/__admin/docs", "the admin API, interactive"));
        rows.push(("/__admin", "its state: revision, overlays, journal"));
    }
    let about = "A mock detector of sparring: it answers, fails and delays as its profile says.";
    api_page::index(&detector.name, about, &rows).into_response()
}

async fn openapi(State(detector): Shared) -> Response {
    Json(described::openapi(&detector.name, detector.dialect)).into_response()
}

async fn health(State(detector): Shared) -> Response {
    let (content_type, body) = dialect::health(detector.dialect, &detector.name);
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// The dialect's response to an unknown path or method.
async fn unknown(State(detector): Shared, uri: axum::http::Uri) -> Response {
    let status = if dialect::is_call(detector.dialect, uri.path()) {
        StatusCode::METHOD_NOT_ALLOWED
    } else {
        StatusCode::NOT_FOUND
    };
    let message = format!("unknown path {}", uri.path());
    let error = ErrorReply {
        status,
        code: status.as_u16(),
        message: Some(&message),
    };
    let (body, extra) = dialect::write_error(detector.dialect, &error);
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = HeaderValue::from_static("POST");
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    for (name, text) in extra {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn metrics(State(detector): Shared) -> Response {
    detector.refresh_metrics();
    service_runtime::metrics::render(&detector.metrics.registry)
}
