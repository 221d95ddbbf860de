//! `POST /orchestrate/plan`: the plan of a request, without running it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use detector_api::orchestrate::OrchestrateRequest;
use resilience::breaker::State as Breaker;
use serde_json::{Value, json};

use super::{envelope, identified, read, request_id};
use crate::answer::verdict::expected_coverage;
use crate::answering::Answering;
use crate::app::App;
use crate::error::ApiError;
use crate::metrics::milliseconds;
use crate::pipeline::{self, CacheKey, Task};
use crate::request::auth::{self, ORCHESTRATE_WRITE};
use crate::request::intake;
use crate::request::planned::Planned;
use crate::request::select::Selected;

pub async fn plan(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let id = request_id(request.headers());
    identified(answer(&app, request, &id).await.map(Json), &id)
}

async fn answer(app: &App, request: Request<Body>, id: &str) -> Result<Value, ApiError> {
    let headers = request.headers().clone();
    let caller = auth::identify(&app.config.auth, &headers)?;
    caller.require(ORCHESTRATE_WRITE)?;
    intake::check_media_type(&headers)?;
    let body = read(&headers, request.into_body(), app.config.limits.body_bytes).await?;
    let envelope = envelope(&headers, id.to_owned())?;
    let parsed: OrchestrateRequest = intake::parse(&body)?;
    let accepted = intake::accept(parsed, &caller, &headers)?;
    let task = Task {
        request: accepted,
        envelope,
        earlier: None,
    };
    let planned = pipeline::plan(&app.answering, task)?;
    Ok(describe(&app.answering, &planned).await)
}

async fn describe(service: &Answering, planned: &Planned) -> Value {
    let selected = &planned.plan.selected;
    let slowest = selected
        .iter()
        .filter(|one| would_call(one))
        .filter_map(usual_ms)
        .fold(None, max);
    let cache = match CacheKey::of(service, planned) {
        None => "bypass",
        Some(CacheKey { keys, about }) => {
            let looked = service.answers.fresh(&keys.answer, &about).await;
            if looked.found.is_some() {
                "hit"
            } else {
                "miss"
            }
        }
    };
    json!({
        "request_id": planned.envelope.request_id,
        "detectors": selected.iter().map(detector).collect::<Vec<_>>(),
        // Detectors that would be asked without the request's own names; the verdict is then not `pass`.
        "left_out": planned.plan.left_out.iter().map(|one| &one.name).collect::<Vec<_>>(),
        "routing_decision": planned.routing(),
        "aggregation_method": planned.plan.method,
        "expected_coverage": expected_coverage(&planned.plan, would_call),
        // Unknown until each detector has answered recently.
        "expected_latency_ms": slowest,
        // Above 0, optional detectors are left out because of overload.
        "brown_out": service.overload.brown_out(),
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
        "detector": one.asked_as,
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
