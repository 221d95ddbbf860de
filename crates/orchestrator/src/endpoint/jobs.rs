//! `GET` and `DELETE /orchestrate/status/{job_id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use detector_api::header as names;
use http::{HeaderValue, header};
use serde_json::{Value, json};

use super::respond;
use super::sent::Sent;
use crate::app::App;
use crate::error::ApiError;
use crate::jobs::{estimate, refused};
use crate::metrics::milliseconds;
use crate::request::auth::{self, ADMIN, Caller, ORCHESTRATE_STATUS, ORCHESTRATE_WRITE};
use job_store::{Job, JobId, JobState, Status};

pub async fn status(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let result = async {
        let tenant = tenant(&app, &headers, ORCHESTRATE_STATUS)?;
        let id: JobId = id.parse().map_err(|error| refused(&error))?;
        let found = app.jobs.store.status(id, tenant.as_deref()).await;
        Ok(Json(describe(&found.map_err(|error| refused(&error))?)))
    };
    respond(result.await, &headers)
}

pub async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let result = async {
        let tenant = tenant(&app, &headers, ORCHESTRATE_WRITE)?;
        let id: JobId = id.parse().map_err(|error| refused(&error))?;
        let job = app.jobs.store.cancel(id, tenant.as_deref()).await;
        let job = job.map_err(|error| refused(&error))?;
        Ok(Json(describe(&Status { job, outcome: None })))
    };
    respond(result.await, &headers)
}

/// The tenant whose jobs the caller may see; `None` means all. A caller without a key and a tenant has to know
/// the job's id, which cannot be guessed.
fn tenant(app: &App, headers: &HeaderMap, scope: &str) -> Result<Option<String>, ApiError> {
    let caller = auth::identify(&app.config.auth, headers)?;
    caller.require(scope)?;
    let named = headers.contains_key(names::TENANT_ID);
    let any = match &caller {
        Caller::Everyone | Caller::Anonymous { .. } => !named,
        Caller::Key { .. } => !named && caller.require(ADMIN).is_ok(),
    };
    if any {
        Ok(None)
    } else {
        caller.tenant(None, headers).map(Some)
    }
}

fn describe(status: &Status) -> Value {
    let job = &status.job;
    let mut body = json!({
        "job_id": job.id.to_string(),
        "request_id": job.request_id,
        "tenant_id": job.tenant,
        "status": job.state.name(),
        "progress": job.progress,
        "created_at": time(job.created_at_ms),
    });
    if let Some(started) = job.started_at_ms {
        body["started_at"] = time(started).into();
    }
    if let Some(ended) = job.ended_at_ms {
        body["completed_at"] = time(ended).into();
    }
    let outcome: Option<Value> = status
        .outcome
        .as_ref()
        .and_then(|outcome| serde_json::from_slice(outcome).ok());
    match (job.state, outcome) {
        (JobState::Completed, Some(result)) => body["result"] = result,
        (JobState::Failed, Some(error)) => body["error"] = error,
        (JobState::Failed, None) => {
            body["error"] = json!({ "message": "given up: every worker that ran it was lost" });
        }
        _ => {}
    }
    body
}

fn time(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms)
        .map(|time| time.to_string())
        .unwrap_or_default()
}

/// The response to an accepted job: 202.
pub(super) fn accepted(app: &App, job: &Job) -> Sent {
    let body = json!({
        "job_id": job.id.to_string(),
        "request_id": job.request_id,
        "status": "pending",
        "estimated_processing_time_ms": milliseconds(estimate(&app.catalog.registry.load())).ceil() as u64,
    });
    let mut sent = Sent::json(202, Bytes::from(body.to_string()));
    sent.headers
        .insert(header::LOCATION, place(&job.id.to_string()));
    sent
}

/// The URL of a job's status.
pub(super) fn place(id: &str) -> HeaderValue {
    let place = format!("/orchestrate/status/{id}");
    HeaderValue::from_str(&place).expect("a job's id is ASCII")
}
