//! `POST /orchestrate`: at once, later, or once per idempotency key.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use detector_api::header as names;
use detector_api::orchestrate::{OrchestrateRequest, Priority, ProcessingMode};
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use uuid::Uuid;

use super::jobs::accepted as job_accepted;
use super::once::{Keyed, once};
use super::sent::Sent;
use super::{echoed, envelope, identified, read, request_id};
use crate::app::App;
use crate::error::ApiError;
use crate::jobs::worker;
use crate::pipeline::{self, Task, accept};
use crate::request::auth::{self, ORCHESTRATE_WRITE};
use crate::request::envelope::Envelope;
use crate::request::intake::{self, Accepted};
use crate::request::limit::tell;
use crate::request::reply::Reply;

pub async fn orchestrate(State(app): State<Arc<App>>, mut request: Request<Body>) -> Response {
    let headers = std::mem::take(request.headers_mut());
    let id = request_id(&headers);
    // On the heap, since the server moves the returned future several times.
    let answered = Box::pin(answer(&app, request, &headers, &id)).await;
    echoed(identified(answered, &id), &headers)
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
    let body = read(headers, request.into_body(), app.config.limits.body_bytes).await?;
    let envelope = envelope(headers, id.to_owned())?;
    let parsed: OrchestrateRequest = intake::parse(&body)?;
    let work = Work {
        accepted: intake::accept(parsed, &caller, headers)?,
        patience: intake::respond_async(headers),
        envelope,
    };
    match work.envelope.idempotency_key.clone() {
        None => process(app, work).await,
        Some(key) => {
            let keyed = Keyed {
                tenant: work.accepted.tenant.clone(),
                key,
                fingerprint: Sha256::digest(&body).into(),
                time: app.config.sla.of(work.accepted.priority),
            };
            let task = app.clone();
            let work = async move { process(&task, work).await };
            Box::pin(once(app, keyed, work)).await
        }
    }
}

/// One request that is ready to run.
pub(super) struct Work {
    pub accepted: Accepted,
    pub envelope: Envelope,
    /// How long the client waits before it wants a job instead (`Prefer: respond-async, wait=N`).
    pub patience: Option<Duration>,
}

/// Runs a request or takes it as a job. Shared with the batch.
pub(super) async fn process(app: &Arc<App>, work: Work) -> Result<Sent, ApiError> {
    let Work {
        accepted,
        envelope,
        patience,
    } = work;
    let decision = accept(&app.answering, &accepted.tenant).await?;
    // Boxed, so that the usual path has no room for the others.
    let mut answer = match patience {
        _ if accepted.mode == ProcessingMode::Async => {
            Box::pin(later(app, accepted, &envelope, None)).await
        }
        // A request that bypasses the cache is answered at once.
        Some(wait) if accepted.priority != Priority::Critical && app.jobs.are_kept() => {
            Box::pin(now_or_later(app, accepted, &envelope, wait)).await
        }
        _ => now(app, accepted, &envelope).await,
    }?;
    if let Some(decision) = decision {
        tell(&decision, &mut answer.headers);
    }
    Ok(answer)
}

async fn now(app: &Arc<App>, request: Accepted, envelope: &Envelope) -> Result<Sent, ApiError> {
    let task = Task {
        request,
        envelope: envelope.clone(),
        earlier: None,
    };
    let landed = pipeline::answer(&app.answering, task).await?;
    Ok(sent(app, landed.reply(envelope)))
}

async fn later(
    app: &App,
    accepted: Accepted,
    envelope: &Envelope,
    run: Option<Uuid>,
) -> Result<Sent, ApiError> {
    let job = worker::submit(app, accepted, envelope, run).await?;
    Ok(job_accepted(app, &job))
}

/// Begins at once. If that takes longer than the client waits, a job takes over the run, and detectors are not
/// asked twice. If no job can be accepted, the client waits after all, since `Prefer` is only a preference.
async fn now_or_later(
    app: &Arc<App>,
    mut accepted: Accepted,
    envelope: &Envelope,
    wait: Duration,
) -> Result<Sent, ApiError> {
    accepted.mode = ProcessingMode::Async;
    let task = Task {
        request: accepted.clone(),
        envelope: envelope.clone(),
        earlier: None,
    };
    let service = app.answering.clone();
    let run = async move { pipeline::answer(&service, task).await };
    let mut run = app.tasks.spawn(run);
    let ended = match timeout(wait, &mut run).await {
        Ok(ended) => ended,
        Err(_) => {
            let name = app.jobs.handover.leave(run);
            match later(app, accepted, envelope, Some(name)).await {
                Ok(mut answer) => {
                    prefer_applied(&mut answer);
                    return Ok(answer);
                }
                Err(error) => app.jobs.handover.take(name).ok_or(error)?.await,
            }
        }
    };
    let landed = ended.map_err(|_| ApiError::broken())??;
    let mut answer = sent(app, landed.reply(envelope));
    prefer_applied(&mut answer);
    Ok(answer)
}

fn prefer_applied(answer: &mut Sent) {
    let applied = HeaderValue::from_static("respond-async");
    answer.headers.insert("preference-applied", applied);
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
        // In RFC 9110, 206 is the response to a range request: proxies must not store this one.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(age) = reply.age {
        headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
    }
    sent
}
