//! `POST /orchestrate/plan`: what a request would do, without doing it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use detector_api::orchestrate::{OrchestrateRequest, Priority};
use resilience::breaker::State as Breaker;
use serde_json::{Value, json};

use super::{identified, origin, read, request_id};
use crate::app::App;
use crate::auth::{self, ORCHESTRATE_WRITE};
use crate::error::ApiError;
use crate::intake;
use crate::metrics::milliseconds;
use crate::run::Planned;
use crate::select::Selected;
use crate::verdict::expected_coverage;

pub async fn plan(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let id = request_id(request.headers());
    identified(answer(&app, request, &id).await.map(Json), &id)
}

async fn answer(app: &App, request: Request<Body>, id: &str) -> Result<Value, ApiError> {
    let headers = request.headers().clone();
    let caller = auth::identify(&app.config.auth, &headers)?;
    caller.require(ORCHESTRATE_WRITE)?;
    intake::check_media_type(&headers)?;
    let body = read(
        (&headers, request.into_body()),
        app.config.limits.body_bytes,
    )
    .await?;
    let origin = origin(&headers, id.to_owned())?;
    let parsed: OrchestrateRequest = intake::parse(&body)?;
    let accepted = intake::accept(parsed, &caller, &headers)?;
    let planned = Planned::new(app, accepted, &origin)?;
    Ok(describe(app, &planned, &origin.request_id).await)
}

async fn describe(app: &App, planned: &Planned, request_id: &str) -> Value {
    let selected = &planned.plan.selected;
    let slowest = selected
        .iter()
        .filter(|one| would_call(one))
        .filter_map(usual_ms)
        .fold(None, max);
    let cache = if planned.request.priority == Priority::Critical || !app.cache.is_enabled() {
        "bypass"
    } else if app
        .fresh(&planned.keys().answer, &planned.about(app))
        .await
        .found
        .is_some()
    {
        "hit"
    } else {
        "miss"
    };
    json!({
        "request_id": request_id,
        "detectors": selected.iter().map(detector).collect::<Vec<_>>(),
        "routing_decision": planned.routing(),
        "aggregation_method": planned.plan.method,
        "expected_coverage": expected_coverage(&planned.plan, would_call),
        // Unknown until each detector has answered at least once lately.
        "expected_latency_ms": slowest,
        // Above 0 optional detectors are left out: the service has too much to do.
        "brown_out": app.overload.brown_out(),
        "deadline_ms": milliseconds(planned.sla),
        "cache": cache,
    })
}

fn max(most: Option<f64>, next: f64) -> Option<f64> {
    Some(most.map_or(next, |most| most.max(next)))
}

/// Whether a call would be made now.
fn would_call(one: &Selected) -> bool {
    one.detector.as_ref().is_some_and(|detector| {
        detector.is_in_rotation() && detector.replicas.state() != Breaker::Open
    })
}

fn usual_ms(one: &Selected) -> Option<f64> {
    Some(milliseconds(one.detector.as_ref()?.usual_time(0.95)?))
}

fn detector(one: &Selected) -> Value {
    let known = one.detector.as_ref();
    let usual = |share| known.and_then(|it| it.usual_time(share)).map(milliseconds);
    json!({
        "detector": one.name,
        "registered_as": known.map(|it| it.name()),
        "required": one.required,
        "weight": one.weight,
        "on_failure": one.on_failure,
        "would_call": would_call(one),
        "timeout_ms": known.map(|it| milliseconds(it.settings.timeout)),
        "circuit_breaker": known.map(|it| it.replicas.state().name()),
        "healthy": known.is_some_and(|it| it.is_in_rotation()),
        "usual_latency_ms": { "p50": usual(0.5), "p95": usual(0.95) },
    })
}
