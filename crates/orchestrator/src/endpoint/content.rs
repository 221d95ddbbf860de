//! `POST /api/v2/text/detection/content`: the FMS guardrails orchestrator's content endpoint, with
//! its bodies and errors, so that its clients find the same here.
//!
//! Every named detector has to answer, or there is an error: its answer has no room for a doubt.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use detector_api::detect::ContentType;
use detector_api::orchestrate::{Environment, ErrorCode, OrchestrateRequest, Priority};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::orchestrate::limit;
use super::sent::Sent;
use super::{origin, read, request_id};
use crate::answer::Offsets;
use crate::app::App;
use crate::asked::{Asked, ask};
use crate::auth::{self, ORCHESTRATE_WRITE};
use crate::error::ApiError;
use crate::intake;

/// Whose request it is when neither a header nor a key says so: this API knows no tenants.
const NOBODY: &str = "default";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentRequest {
    content: String,
    /// Detectors by name with their parameters; `threshold` is known here.
    detectors: BTreeMap<String, Map<String, Value>>,
}

#[derive(Serialize)]
struct Detection<'a> {
    start: usize,
    end: usize,
    text: &'a str,
    detection: &'a str,
    detection_type: &'a str,
    detector_id: &'a str,
    score: f64,
}

/// An error as this API has it.
struct Refusal {
    status: StatusCode,
    error: ApiError,
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let status = match error.code {
            ErrorCode::InvalidRequest => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::RequestTimeout
            | ErrorCode::AllDetectorsUnavailable
            | ErrorCode::DetectorCommunicationFailed
            | ErrorCode::DetectorOverloaded => StatusCode::SERVICE_UNAVAILABLE,
            _ => error.status(),
        };
        Self { status, error }
    }
}

pub async fn detect(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let headers = request.headers().clone();
    match answer(&app, request, &headers).await {
        Ok(sent) => sent.into_response(),
        Err(Refusal { status, error }) => {
            let body = json!({ "code": status.as_u16(), "details": error.message });
            let mut response = error.into_response("");
            *response.status_mut() = status;
            *response.body_mut() = Body::from(body.to_string());
            response.headers_mut().remove(http::header::CONTENT_LENGTH);
            response
        }
    }
}

async fn answer(
    app: &Arc<App>,
    request: Request<Body>,
    headers: &HeaderMap,
) -> Result<Sent, Refusal> {
    let caller = auth::identify(&app.config.auth, headers)?;
    caller.require(ORCHESTRATE_WRITE)?;
    intake::check_media_type(headers)?;
    let body = read((headers, request.into_body()), app.config.limits.body_bytes).await?;
    let origin = origin(headers, request_id(headers))?;
    let given: ContentRequest = intake::parse(&body)?;
    let thresholds = thresholds(&given)?;
    let tenant = caller.tenant(None, headers);
    let tenant = match tenant {
        Err(error) if error.code == ErrorCode::InvalidRequest && !has_tenant(headers) => {
            NOBODY.to_owned()
        }
        tenant => tenant?,
    };
    let accepted = intake::accept(native(&given, tenant), &caller, headers)?;
    let content = accepted.content.clone();
    let registry = app.registry.load_full();
    if let Some(name) = given
        .detectors
        .keys()
        .find(|it| registry.find(it).is_none())
    {
        return Err(unanswered(false, name));
    }
    let decision = limit(app, &accepted.tenant).await?;
    let asked = ask(app, accepted, &origin).await?;
    let detections = detections(&asked, &content, &thresholds)?;
    let body = serde_json::to_vec(&json!({ "detections": detections }));
    let mut sent = Sent::json(200, Bytes::from(body.expect("keys are strings")));
    if let Some(decision) = decision {
        decision.tell(&mut sent.headers);
    }
    Ok(sent)
}

fn has_tenant(headers: &HeaderMap) -> bool {
    headers.contains_key(detector_api::header::TENANT_ID)
}

/// The score that a detector's findings need.
fn thresholds(given: &ContentRequest) -> Result<BTreeMap<&str, f64>, ApiError> {
    if given.detectors.is_empty() {
        return Err(ApiError::invalid("detectors", "name at least one"));
    }
    let mut thresholds = BTreeMap::new();
    for (name, parameters) in &given.detectors {
        let threshold = match parameters.get("threshold") {
            None => f64::MIN,
            Some(value) => value
                .as_f64()
                .ok_or_else(|| ApiError::invalid("detectors", "a `threshold` must be a number"))?,
        };
        thresholds.insert(name.as_str(), threshold);
    }
    Ok(thresholds)
}

fn native(given: &ContentRequest, tenant: String) -> OrchestrateRequest {
    OrchestrateRequest {
        content: given.content.clone(),
        content_type: ContentType::Text,
        tenant_id: Some(tenant),
        policy_bundle: None,
        environment: Environment::default(),
        processing_mode: Default::default(),
        priority: Priority::default(),
        metadata: None,
        required_detectors: Some(given.detectors.keys().cloned().collect()),
        excluded_detectors: None,
    }
}

/// What all of them found, in the order of the content.
fn detections<'a>(
    asked: &'a Asked,
    content: &'a str,
    thresholds: &BTreeMap<&str, f64>,
) -> Result<Vec<Detection<'a>>, Refusal> {
    let mut detections = Vec::new();
    let offsets = Offsets::new(content, true);
    for (one, called) in asked.plan.selected.iter().zip(&asked.called) {
        // The policy may ask for more than the request does; this API's clients did not.
        let Some(threshold) = thresholds.get(&*one.name) else {
            continue;
        };
        let Ok(answer) = &called.outcome else {
            return Err(unanswered(one.detector.is_some(), &one.name));
        };
        for found in answer.findings.iter().filter(|it| it.score >= *threshold) {
            detections.push(Detection {
                start: found.start,
                end: found.end,
                // Attested: it lies inside of the content.
                text: offsets
                    .slice(content, found.start, found.end)
                    .unwrap_or_default(),
                detection: &found.label,
                detection_type: &found.category,
                detector_id: &one.name,
                score: found.score,
            });
        }
    }
    detections.sort_by_key(|found| found.start);
    Ok(detections)
}

fn unanswered(is_known: bool, name: &str) -> Refusal {
    if is_known {
        let message = format!("detector `{name}` gave no answer");
        ApiError::new(ErrorCode::DetectorCommunicationFailed, message).into()
    } else {
        let message = format!("detector `{name}` not found");
        ApiError::new(ErrorCode::DetectorNotFound, message).into()
    }
}
