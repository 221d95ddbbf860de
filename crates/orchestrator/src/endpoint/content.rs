//! `POST /api/v2/text/detection/content`: the FMS guardrails orchestrator's content endpoint, with its bodies
//! and errors, for its clients.
//!
//! Every named detector has to answer, or the response is an error, since this API cannot express a partial
//! answer. The same holds for those that the operator or the policy requires, named or not. Their findings are
//! returned, and a client's `threshold` hides none that the policy would block.

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
use sha2::{Digest, Sha256};

use super::once::{Keyed, once};
use super::sent::Sent;
use super::{echoed, envelope, read, request_id};
use crate::answer::attested::Offsets;
use crate::app::App;
use crate::ask::registry::{DetectorName, SpelledName};
use crate::config::OnFailure;
use crate::error::ApiError;
use crate::pipeline::{FanOutResult, Task, accept, findings};
use crate::request::auth::{self, ORCHESTRATE_WRITE};
use crate::request::envelope::Envelope;
use crate::request::intake::{self, Accepted};
use crate::request::limit::tell;

/// The tenant of a request without a header or a key, since this API has no tenants.
const NOBODY: &str = "default";
const PATH: &str = "/api/v2/text/detection/content";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentRequest {
    content: String,
    /// Detectors by name with their parameters; `threshold` is interpreted here.
    detectors: BTreeMap<SpelledName, Map<String, Value>>,
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

/// An error in this API's format.
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
    let answered = Box::pin(answer(&app, request, &headers)).await;
    let response = match answered.map_err(Refusal::from) {
        Ok(sent) => sent.into_response(),
        Err(Refusal { status, error }) => {
            let body = json!({ "code": status.as_u16(), "details": error.message });
            let mut response = error.into_response("");
            *response.status_mut() = status;
            *response.body_mut() = Body::from(body.to_string());
            response.headers_mut().remove(http::header::CONTENT_LENGTH);
            response
        }
    };
    echoed(response, &headers)
}

async fn answer(
    app: &Arc<App>,
    request: Request<Body>,
    headers: &HeaderMap,
) -> Result<Sent, ApiError> {
    let caller = auth::identify(&app.config.auth, headers)?;
    caller.require(ORCHESTRATE_WRITE)?;
    intake::check_media_type(headers)?;
    let body = read(headers, request.into_body(), app.config.limits.body_bytes).await?;
    let envelope = envelope(headers, request_id(headers))?;
    let given: ContentRequest = intake::parse(&body)?;
    // An invalid request is refused before its key is used.
    thresholds(&given)?;
    let tenant = caller.tenant(None, headers);
    let tenant = match tenant {
        Err(error) if error.code == ErrorCode::InvalidRequest && !has_tenant(headers) => {
            NOBODY.to_owned()
        }
        tenant => tenant?,
    };
    let accepted = intake::accept(native(&given, tenant), &caller, headers)?;
    let work = Work {
        given,
        accepted,
        envelope,
    };
    let Some(key) = work.envelope.idempotency_key.clone() else {
        return process(app, work).await;
    };
    let keyed = Keyed {
        tenant: work.accepted.tenant.clone(),
        key,
        // The endpoint is part of the hash, since the same body means something else at another one.
        fingerprint: Sha256::new()
            .chain_update(PATH)
            .chain_update(&body)
            .finalize()
            .into(),
        time: app.config.sla.of(work.accepted.priority),
    };
    let task = app.clone();
    let work = async move { process(&task, work).await };
    Box::pin(once(app, keyed, work)).await
}

/// A request that can be run.
struct Work {
    given: ContentRequest,
    accepted: Accepted,
    envelope: Envelope,
}

async fn process(app: &Arc<App>, work: Work) -> Result<Sent, ApiError> {
    let Work {
        given,
        accepted,
        envelope,
    } = work;
    let thresholds = thresholds(&given)?;
    let content = accepted.content.clone();
    let registry = app.catalog.registry.load_full();
    if let Some(name) = given
        .detectors
        .keys()
        .find(|it| registry.find(it.text()).is_none())
    {
        return Err(unanswered(false, name.text()));
    }
    let decision = accept(&app.answering, &accepted.tenant).await?;
    let task = Task {
        request: accepted,
        envelope,
        earlier: None,
    };
    let asked = findings(&app.answering, task).await?;
    let detections = detections(&asked, &content, &thresholds)?;
    let body = serde_json::to_vec(&json!({ "detections": detections }));
    let mut sent = Sent::json(200, Bytes::from(body.expect("keys are strings")));
    if let Some(decision) = decision {
        tell(&decision, &mut sent.headers);
    }
    Ok(sent)
}

fn has_tenant(headers: &HeaderMap) -> bool {
    headers.contains_key(detector_api::header::TENANT_ID)
}

/// The minimum score of a detector's findings, by the client's names for it.
type Thresholds<'a> = Vec<(&'a SpelledName, f64)>;

fn thresholds(given: &ContentRequest) -> Result<Thresholds<'_>, ApiError> {
    if given.detectors.is_empty() {
        return Err(ApiError::invalid("detectors", "name at least one"));
    }
    let threshold = |parameters: &Map<String, Value>| match parameters.get("threshold") {
        None => Ok(f64::MIN),
        Some(value) => value
            .as_f64()
            .ok_or_else(|| ApiError::invalid("detectors", "a `threshold` must be a number")),
    };
    let all = given.detectors.iter();
    all.map(|(name, parameters)| Ok((name, threshold(parameters)?)))
        .collect()
}

fn native(given: &ContentRequest, tenant: String) -> OrchestrateRequest {
    let names = given.detectors.keys();
    OrchestrateRequest {
        content: given.content.clone(),
        content_type: ContentType::Text,
        tenant_id: Some(tenant),
        policy_bundle: None,
        environment: Environment::default(),
        processing_mode: Default::default(),
        priority: Priority::default(),
        metadata: None,
        required_detectors: Some(names.map(|name| name.text().to_string()).collect()),
        excluded_detectors: None,
    }
}

/// All findings, in the order of the content.
fn detections<'a>(
    asked: &'a FanOutResult,
    content: &'a str,
    thresholds: &Thresholds<'a>,
) -> Result<Vec<Detection<'a>>, ApiError> {
    let mut detections = Vec::new();
    let offsets = Offsets::new(content, true);
    let named: Vec<(DetectorName, &Arc<str>, f64)> = thresholds
        .iter()
        .map(|(name, threshold)| {
            (
                asked.planned.registry.resolve(name),
                name.text(),
                *threshold,
            )
        })
        .collect();
    for (one, called) in asked.planned.plan.selected.iter().zip(&asked.called) {
        let own = named.iter().filter(|(name, ..)| *name == one.name);
        let mut ids: Vec<(&str, f64)> = own.map(|(_, id, least)| (&***id, *least)).collect();
        let Ok(answer) = &called.outcome else {
            let may_be_missing = ids.is_empty() && !one.required;
            if may_be_missing && one.on_failure == OnFailure::Open {
                continue;
            }
            return Err(unanswered(one.detector.is_some(), &one.asked_as));
        };
        if ids.is_empty() {
            ids.push((one.name.as_str(), f64::MIN));
        }
        let is_demanded = one.pinned || (one.chosen && !asked.planned.plan.is_open);
        let blocks = asked.planned.plan.policy.block_score;
        for (id, least) in ids {
            let least = if is_demanded {
                least.min(blocks)
            } else {
                least
            };
            let found = answer.findings.iter().filter(|it| it.score >= least);
            detections.extend(found.map(|found| {
                Detection {
                    start: found.start,
                    end: found.end,
                    // Attested: it lies within the content.
                    text: offsets
                        .slice(content, found.start, found.end)
                        .unwrap_or_default(),
                    detection: &found.label,
                    detection_type: &found.category,
                    detector_id: id,
                    score: found.score,
                }
            }));
        }
    }
    detections.sort_by_key(|found| found.start);
    Ok(detections)
}

fn unanswered(is_known: bool, name: &str) -> ApiError {
    if is_known {
        let message = format!("detector `{name}` did not answer");
        ApiError::new(ErrorCode::DetectorCommunicationFailed, message)
    } else {
        let message = format!("detector `{name}` not found");
        ApiError::new(ErrorCode::DetectorNotFound, message)
    }
}
