//! The routes: a table of contents.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use detector_api::orchestrate as paths;

use crate::app::App;
use crate::endpoint::{
    batch, breakers, cache, content, detectors, docs, events, health, jobs, orchestrate, plan,
    policies, rest, resume,
};

pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(paths::ORCHESTRATE_PATH, post(orchestrate::orchestrate))
        .route(paths::ORCHESTRATE_BATCH_PATH, post(batch::batch))
        .route(
            "/orchestrate/status/{job_id}",
            get(jobs::status).delete(jobs::cancel),
        )
        .route("/orchestrate/plan", post(plan::plan))
        .route("/orchestrate/resume", post(resume::resume))
        .route(paths::HEALTH_PATH, get(health::health))
        .route(paths::READY_PATH, get(health::ready))
        .route(paths::METRICS_PATH, get(health::metrics))
        .route("/detectors", get(detectors::list).post(detectors::post))
        .route(
            "/detectors/{name}",
            get(detectors::get)
                .put(detectors::put)
                .delete(detectors::delete),
        )
        .route("/policies/{tenant}", get(policies::list))
        .route(
            "/policies/{tenant}/{bundle}",
            get(policies::get)
                .put(policies::put)
                .delete(policies::delete),
        )
        .route(
            "/policies/{tenant}/{bundle}/versions",
            get(policies::versions),
        )
        .route(
            "/policies/{tenant}/{bundle}/versions/{version}/rollback",
            post(policies::roll_back),
        )
        .route("/events/stream", get(events::stream))
        .route("/events/incidents", get(events::incidents))
        .route("/circuit-breakers", get(breakers::list))
        .route("/circuit-breakers/{detector}/reset", post(breakers::reset))
        .route(
            "/circuit-breakers/{detector}/force-open",
            post(breakers::force_open),
        )
        .route("/cache/invalidate", post(cache::invalidate))
        .route("/api/v2/text/detection/content", post(content::detect))
        .route("/openapi.json", get(docs::openapi))
        .route("/", get(docs::index))
        .merge(docs::page::<Arc<App>>())
        .fallback(rest::not_found)
        .method_not_allowed_fallback(rest::method_not_allowed)
        .with_state(app)
}
