//! `GET /health`, `/health/ready` and `/metrics`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use detector_api::orchestrate::{HealthResponse, ReadyResponse};
use http::StatusCode;

use crate::app::App;

/// 200 as long as the process serves.
pub async fn health(State(app): State<Arc<App>>) -> Json<HealthResponse> {
    let registry = app.catalog.registry.load();
    let healthy = registry
        .iter()
        .filter(|detector| detector.is_in_rotation())
        .count();
    let status = if healthy == 0 { "degraded" } else { "healthy" };
    Json(HealthResponse {
        status: status.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        environment: app.config.environment,
        detectors_total: registry.count(),
        detectors_healthy: healthy,
    })
}

/// 503 until every required detector is healthy, whenever one is not, and while the service drains. If none is
/// required, one healthy detector is enough. Other detectors and open breakers have no effect, since no breaker
/// would close without requests. 503 also while the store fails.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    let registry = app.catalog.registry.load();
    let mut needed = registry
        .iter()
        .filter(|it| it.settings.required)
        .map(|it| (format!("detector/{}", it.name()), it.is_known_healthy()))
        .collect::<BTreeMap<_, _>>();
    let detectors = if needed.is_empty() {
        registry.iter().any(|detector| detector.is_known_healthy())
    } else {
        needed.values().all(|well| *well)
    };
    let mut dependencies = BTreeMap::from([
        ("detectors".to_owned(), detectors),
        ("cache".to_owned(), true),
        ("job_store".to_owned(), app.jobs.can_keep()),
    ]);
    dependencies.append(&mut needed);
    let ready = dependencies.values().all(|well| *well);
    // Reported but not required: without Redis this replica continues alone.
    if let Some(redis) = &app.jobs.redis {
        dependencies.insert("redis".to_owned(), redis.is_connected());
    }
    let (status, word) = if app.shutdown.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else if ready {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
    };
    let body = ReadyResponse {
        status: word.to_owned(),
        dependencies,
    };
    (status, Json(body)).into_response()
}

/// In Prometheus' text format, or as `OpenMetrics` where `Accept` asks for it.
pub async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    for (state, count) in app.jobs.store.states().await {
        app.metrics.jobs(state.name(), count);
    }
    let registry = app.catalog.registry.load();
    for detector in registry.iter() {
        detector.show_limit();
        if registry.has_shadows() {
            for shadow in registry.shadows_of(&detector.name) {
                app.metrics.shadow(shadow.name(), detector.name());
            }
        }
    }
    app.catalog.forget_detectors();
    let (limit, queued) = (
        app.answering.overload.limit(),
        app.answering.overload.queued(),
    );
    app.metrics.limit.set(limit.into());
    app.metrics
        .queued
        .set(i64::try_from(queued).unwrap_or(i64::MAX));
    service_runtime::metrics::render_for(&app.metrics.registry, &headers)
}
