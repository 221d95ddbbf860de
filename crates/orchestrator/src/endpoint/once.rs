//! `Idempotency-Key`: the same key and body get the same response.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use detector_api::orchestrate::ErrorCode;
use http::{HeaderValue, header};
use serde_json::Value;

use super::jobs::place;
use super::sent::Sent;
use crate::app::App;
use crate::error::ApiError;
use crate::jobs;
use job_store::idempotency::{Begun, Hash, StoredResponse, Ticket};

/// A key, its tenant, and the request that it stands for.
pub(super) struct Keyed {
    pub tenant: String,
    pub key: String,
    /// The hash of the body: the same key with another body is a conflict.
    pub fingerprint: Hash,
    /// The time limit of the work, and of another request that waits for it.
    pub time: Duration,
}

/// Runs `work`, unless it was done before or is in progress.
///
/// # Errors
/// IDEMPOTENCY_CONFLICT, REQUEST_TIMEOUT while it still runs, OVERLOADED while responses cannot be stored; or
/// the work's own error, which is not stored, so that a repeated request is tried again.
pub(super) async fn once<W>(app: &Arc<App>, keyed: Keyed, work: W) -> Result<Sent, ApiError>
where
    W: Future<Output = Result<Sent, ApiError>> + Send + 'static,
{
    let Keyed {
        tenant,
        key,
        fingerprint,
        time,
    } = keyed;
    match app
        .jobs
        .idempotency
        .begin(&tenant, &key, fingerprint, time)
        .await
    {
        Ok(Begun::Run(ticket)) => {
            // In its own task, since a client that disconnects may repeat the request.
            let task = app.tasks.spawn(keep_answer(app.clone(), ticket, work));
            task.await.map_err(|_| ApiError::broken())?
        }
        Ok(Begun::Replay(answer)) => Ok(replayed(answer)),
        Ok(Begun::Conflict) => {
            let message = "this Idempotency-Key was used with another body; use a new key";
            Err(ApiError::new(ErrorCode::IdempotencyConflict, message))
        }
        Ok(Begun::StillRunning) => {
            let message = "a request with this Idempotency-Key is still in progress; retry later";
            Err(ApiError::new(ErrorCode::RequestTimeout, message).after(Duration::from_secs(1)))
        }
        // It may have been answered, so the work must not be repeated.
        Err(error) => Err(jobs::refused(&error)),
    }
}

/// A stored response with its headers.
fn replayed(answer: StoredResponse) -> Sent {
    let mut sent = Sent::json(answer.status, answer.body);
    let headers = &mut sent.headers;
    headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    match answer.status {
        202 => {
            let body: Value = serde_json::from_slice(&sent.body).unwrap_or_default();
            if let Some(id) = body["job_id"].as_str() {
                headers.insert(header::LOCATION, place(id));
            }
        }
        206 => {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        _ => {}
    }
    sent
}

/// A response that cannot be stored is not sent, since a repeated request would repeat the work.
async fn keep_answer<W>(app: Arc<App>, mut ticket: Ticket, work: W) -> Result<Sent, ApiError>
where
    W: Future<Output = Result<Sent, ApiError>>,
{
    let sent = work.await?;
    if !sent.is_kept {
        return Ok(sent);
    }
    let answer = StoredResponse {
        status: sent.status,
        body: sent.body.clone(),
    };
    let Err(error) = ticket.keep(&answer).await else {
        return Ok(sent);
    };
    tracing::warn!(%error, "a response is delayed until it can be stored for its idempotency key");
    let stop = app.shutdown.clone();
    app.tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = ticket.keep_at_last(answer) => {}
        }
    });
    Err(jobs::refused(&error))
}
