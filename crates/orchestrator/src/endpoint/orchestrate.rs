//! `POST /orchestrate`: at once, later, or once per idempotency key.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use detector_api::header as names;
use detector_api::orchestrate::{ErrorCode, OrchestrateRequest, Priority, ProcessingMode};
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::jobs::{accepted as job_accepted, place as job_place};
use super::sent::Sent;
use super::{identified, origin, read, request_id};
use crate::app::App;
use crate::auth::{self, ORCHESTRATE_WRITE};
use crate::error::ApiError;
use crate::intake::{self, Accepted};
use crate::jobs;
use crate::rate_limit::Decision;
use crate::run::{Origin, Reply, counted};
use crate::store::StoreError;
use crate::store::idempotency::{Answer, Begun, Ticket};

pub async fn orchestrate(State(app): State<Arc<App>>, mut request: Request<Body>) -> Response {
    let headers = std::mem::take(request.headers_mut());
    let id = request_id(&headers);
    // On the heap: the server moves what is returned here several times.
    let answered = Box::pin(answer(&app, request, &headers, &id)).await;
    let mut response = identified(answered, &id);
    if let Some(key) = headers.get(names::IDEMPOTENCY_KEY) {
        let out = response.headers_mut();
        out.insert(names::IDEMPOTENCY_KEY, key.clone());
    }
    response
}

async fn answer(
    app: &Arc<App>,
    request: Request<Body>,
    headers: &HeaderMap,
    id: &str,
) -> Result<Sent, ApiError> {
    let caller = auth::identify(&app.config.auth, headers)?;
    caller.require(ORCHESTRATE_WRITE)?;
    intake::check_media_type(headers)?;
    let body = read((headers, request.into_body()), app.config.limits.body_bytes).await?;
    let origin = origin(headers, id.to_owned())?;
    let parsed: OrchestrateRequest = intake::parse(&body)?;
    let work = Work {
        accepted: intake::accept(parsed, &caller, headers)?,
        patience: intake::respond_async(headers),
        origin,
    };
    match work.origin.idempotency_key.clone() {
        None => process(app, work).await,
        Some(key) => {
            let fingerprint = Sha256::digest(&body).into();
            Box::pin(once(app, &key, fingerprint, work)).await
        }
    }
}

/// One request, ready to be run.
pub(super) struct Work {
    pub accepted: Accepted,
    pub origin: Origin,
    /// How long the client waits before it wants a job instead (`Prefer: respond-async, wait=N`).
    pub patience: Option<Duration>,
}

/// Runs a request or takes it as a job. Shared with the batch.
pub(super) async fn process(app: &Arc<App>, work: Work) -> Result<Sent, ApiError> {
    let Work {
        accepted,
        origin,
        patience,
    } = work;
    let decision = limit(app, &accepted.tenant).await?;
    // The usual way does not carry the room for the others.
    let mut answer = match patience {
        _ if accepted.mode == ProcessingMode::Async => {
            Box::pin(later(app, accepted, &origin)).await
        }
        // Who is in such a hurry as to bypass the cache gets an answer now.
        Some(wait) if accepted.priority != Priority::Critical && app.keeps_jobs() => {
            Box::pin(now_or_later(app, accepted, &origin, wait)).await
        }
        _ => counted(app, accepted, &origin)
            .await
            .map(|reply| sent(app, reply)),
    }?;
    if let Some(decision) = decision {
        decision.tell(&mut answer.headers);
    }
    Ok(answer)
}

async fn later(app: &App, accepted: Accepted, origin: &Origin) -> Result<Sent, ApiError> {
    let job = jobs::submit(app, accepted, origin).await?;
    Ok(job_accepted(app, &job))
}

/// Begins at once; if that takes longer than the client waits, a job takes over. The run goes on:
/// the job joins it, and detectors are not asked twice.
async fn now_or_later(
    app: &Arc<App>,
    mut accepted: Accepted,
    origin: &Origin,
    wait: Duration,
) -> Result<Sent, ApiError> {
    accepted.mode = ProcessingMode::Async;
    let (task_app, task_request, task_origin) = (app.clone(), accepted.clone(), origin.clone());
    let run = async move { counted(&task_app, task_request, &task_origin).await };
    let mut run = app.tasks.spawn(run);
    let mut answer = match timeout(wait, &mut run).await {
        Ok(done) => sent(app, done.map_err(|_| broken())??),
        Err(_) => later(app, accepted, origin).await?,
    };
    let applied = HeaderValue::from_static("respond-async");
    answer.headers.insert("preference-applied", applied);
    Ok(answer)
}

fn broken() -> ApiError {
    ApiError::new(
        ErrorCode::InternalError,
        "the request could not be worked on",
    )
}

/// The same key and the same body get the same answer.
async fn once(
    app: &Arc<App>,
    key: &str,
    fingerprint: [u8; 32],
    work: Work,
) -> Result<Sent, ApiError> {
    let time = app.config.sla.of(work.accepted.priority);
    match app
        .idempotency
        .begin(&work.accepted.tenant, key, fingerprint, time)
        .await
    {
        Ok(Begun::Run(ticket)) => {
            // In a task of its own: a client that leaves may come back for the answer.
            let task = app.tasks.spawn(keep_answer(app.clone(), ticket, work));
            task.await.map_err(|_| broken())?
        }
        Ok(Begun::Replay(answer)) => Ok(replayed(answer)),
        Ok(Begun::Conflict) => {
            let message = "this Idempotency-Key was used with another body; use a new key";
            Err(ApiError::new(ErrorCode::IdempotencyConflict, message))
        }
        Ok(Begun::StillRunning) => {
            let message = "a request with this Idempotency-Key still runs; ask again";
            Err(ApiError::new(ErrorCode::RequestTimeout, message).after(Duration::from_secs(1)))
        }
        // It was answered: it must not be done again.
        Err(error @ StoreError::Sealed(_)) => Err(jobs::refused(&error)),
        Err(error) => {
            tracing::error!(%error, "an idempotency key cannot be kept; the request runs without");
            process(app, work).await
        }
    }
}

/// An answer that was given before, with the headers that belong to it.
fn replayed(answer: Answer) -> Sent {
    let mut sent = Sent::json(answer.status, answer.body);
    let headers = &mut sent.headers;
    headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    match answer.status {
        202 => {
            let body: Value = serde_json::from_slice(&sent.body).unwrap_or_default();
            if let Some(id) = body["job_id"].as_str() {
                headers.insert(header::LOCATION, job_place(id));
            }
        }
        206 => {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        _ => {}
    }
    sent
}

/// Errors are not kept: whoever repeats the request after one wants it to be tried again.
async fn keep_answer(app: Arc<App>, ticket: Ticket, work: Work) -> Result<Sent, ApiError> {
    let sent = process(&app, work).await?;
    let answer = Answer {
        status: sent.status,
        body: sent.body.clone(),
    };
    if let Err(error) = ticket.finish(answer).await {
        tracing::error!(%error, "an answer cannot be kept for its idempotency key");
    }
    Ok(sent)
}

/// Counts the request against the tenant's rate.
pub(super) async fn limit(app: &App, tenant: &str) -> Result<Option<Decision>, ApiError> {
    let Some(limiter) = &app.limiter else {
        return Ok(None);
    };
    let Some(decision) = limiter.check("orchestrate", tenant).await else {
        return Ok(None);
    };
    let action = if decision.allowed {
        "allowed"
    } else {
        "limited"
    };
    app.metrics.rate_limited("orchestrate", tenant, action);
    if decision.allowed {
        return Ok(Some(decision));
    }
    let message = "the tenant's rate limit is reached; slow down";
    let error = ApiError::new(ErrorCode::RateLimited, message);
    Err(error.limited(decision, app.config.rate_limit_status))
}

pub(super) fn sent(app: &App, reply: Reply) -> Sent {
    let status = if reply.partial {
        app.config.partial_status
    } else {
        200
    };
    let mut sent = Sent::json(status, reply.body);
    let headers = &mut sent.headers;
    headers.insert(names::CACHE, HeaderValue::from_static(reply.cache.name()));
    headers.insert("server-timing", reply.timing.header());
    if reply.partial {
        // 206 answers ranges in RFC 9110: nobody on the way may keep this one.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(age) = reply.age {
        headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
    }
    sent
}
