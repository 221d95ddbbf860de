//! The routes: a table of contents.

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get, post};
use detector_api::orchestrate as paths;

use crate::app::App;
use crate::endpoint::{batch, cache, health, orchestrate, rest};

pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(paths::ORCHESTRATE_PATH, post(orchestrate::orchestrate))
        .route(paths::ORCHESTRATE_BATCH_PATH, post(batch::batch))
        .route("/orchestrate/status/{job_id}", any(rest::not_built))
        .route("/orchestrate/plan", any(rest::not_built))
        .route("/orchestrate/resume", any(rest::not_built))
        .route(paths::HEALTH_PATH, get(health::health))
        .route(paths::READY_PATH, get(health::ready))
        .route(paths::METRICS_PATH, get(health::metrics))
        .route("/detectors", any(rest::not_built))
        .route("/detectors/{name}", any(rest::not_built))
        .route("/policies/{*rest}", any(rest::not_built))
        .route("/events/{*rest}", any(rest::not_built))
        .route("/circuit-breakers", any(rest::not_built))
        .route("/circuit-breakers/{*rest}", any(rest::not_built))
        .route("/cache/invalidate", post(cache::invalidate))
        .route("/api/v2/text/detection/content", any(rest::not_built))
        .route("/openapi.json", any(rest::not_built))
        .route("/docs", any(rest::not_built))
        .fallback(rest::not_found)
        .method_not_allowed_fallback(rest::method_not_allowed)
        .with_state(app)
}
