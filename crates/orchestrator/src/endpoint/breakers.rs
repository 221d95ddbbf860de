//! `GET /circuit-breakers`, `POST /circuit-breakers/{detector}/reset` and `/force-open`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use detector_api::orchestrate::ErrorCode;
use serde_json::{Value, json};

use super::respond;
use crate::app::App;
use crate::ask::registry::Detector;
use crate::ask::replicas::Replica;
use crate::error::ApiError;
use crate::request::auth::{self, ADMIN, ORCHESTRATE_STATUS};

pub async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let result = auth::identify(&app.config.auth, &headers)
        .and_then(|caller| caller.require(ORCHESTRATE_STATUS))
        .map(|()| {
            let registry = app.catalog.registry.load();
            let breakers: Vec<Value> = registry.iter().map(|it| describe(it)).collect();
            Json(json!({ "circuit_breakers": breakers }))
        });
    respond(result, &headers)
}

pub async fn reset(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    respond(
        change(&app, &name, &headers, |detector| detector.replicas.reset()),
        &headers,
    )
}

pub async fn force_open(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    respond(
        change(&app, &name, &headers, |detector| {
            detector.replicas.force_open();
        }),
        &headers,
    )
}

fn change(
    app: &App,
    name: &str,
    headers: &HeaderMap,
    change: impl FnOnce(&Detector),
) -> Result<Json<Value>, ApiError> {
    auth::identify(&app.config.auth, headers)?.require(ADMIN)?;
    let registry = app.catalog.registry.load();
    let detector = registry.find(name).ok_or_else(unknown)?;
    change(detector);
    Ok(Json(describe(detector)))
}

pub(super) fn unknown() -> ApiError {
    let message = "no detector of this name is registered; GET /detectors lists them";
    ApiError::new(ErrorCode::DetectorNotFound, message)
}

fn describe(detector: &Detector) -> Value {
    let counts = detector.replicas.counts();
    let endpoints = detector.replicas.iter().zip(detector.replicas.ejected());
    json!({
        "detector": detector.name(),
        "state": detector.replicas.state().name(),
        "endpoints": endpoints.map(|(one, ejected)| endpoint(one, ejected)).collect::<Vec<_>>(),
        "window": { "calls": counts.calls, "failed": counts.failed, "slow": counts.slow },
        "failure_rate": counts.failure_rate(),
        "slow_call_rate": counts.slow_rate(),
    })
}

fn endpoint(one: &Replica, ejected: bool) -> Value {
    let counts = one.breaker.counts();
    json!({
        "endpoint": one.uri.to_string(),
        "state": one.breaker.state().name(),
        "window": { "calls": counts.calls, "failed": counts.failed, "slow": counts.slow },
        "in_rotation": one.is_in_rotation(),
        "ejected": ejected,
        "limit": one.gate.limit(),
        "in_flight": one.gate.in_flight(),
        "queued": one.gate.queued(),
    })
}
