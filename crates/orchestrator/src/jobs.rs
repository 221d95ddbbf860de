//! Requests that are answered later: put on disk, run by workers, each to exactly one outcome.

use std::sync::Arc;
use std::time::Duration;

use detector_api::orchestrate::{ErrorCode, ProcessingMode};
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, interval};

use crate::app::App;
use crate::error::ApiError;
use crate::intake::Accepted;
use crate::run::{self, Origin};
use crate::store::{Claim, Job, NewJob, Outcome, StoreError};

/// Jobs that run at once in this process.
pub const WORKERS: usize = 16;
/// What a job takes as long as nothing is known of its detectors.
const USUAL: Duration = Duration::from_secs(1);
/// The pause after the disk failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What running a job needs. Deleted from disk when the job ends.
#[derive(Serialize, Deserialize)]
struct Payload {
    request: Accepted,
    request_id: String,
    traceparent: Option<String>,
}

/// Puts a request on disk. When this returns it will be run, whatever happens to the process.
///
/// # Errors
/// NOT_IMPLEMENTED without a durable store, OVERLOADED when it is full, INTERNAL_ERROR when the
/// disk fails.
pub async fn submit(app: &App, mut request: Accepted, origin: &Origin) -> Result<Job, ApiError> {
    if !app.keeps_jobs() {
        let message = "asynchronous jobs need a place to survive in: set orchestration.job_store";
        return Err(ApiError::new(ErrorCode::NotImplemented, message));
    }
    // What cannot be planned is refused now and not when it is too late to tell.
    run::Planned::new(app, request.clone(), origin)?;
    request.mode = ProcessingMode::Async;
    let (tenant, urgency) = (request.tenant.clone(), request.priority as u8);
    let traceparent = origin
        .traceparent
        .as_ref()
        .and_then(|value| value.to_str().ok());
    let payload = Payload {
        request,
        request_id: origin.request_id.clone(),
        traceparent: traceparent.map(str::to_owned),
    };
    let new = NewJob {
        request_id: origin.request_id.clone(),
        tenant,
        urgency,
        payload: serde_json::to_vec(&payload)
            .expect("strings and numbers")
            .into(),
    };
    app.store.submit(new).await.map_err(|error| refused(&error))
}

/// A store's error as a client sees it.
pub fn refused(error: &StoreError) -> ApiError {
    match error {
        StoreError::NotFound => {
            ApiError::new(ErrorCode::JobNotFound, "there is no such job, or no longer")
        }
        StoreError::Ended(state) => ApiError::new(
            ErrorCode::Conflict,
            format!("the job has already ended: {state}"),
        ),
        StoreError::Full { .. } => {
            ApiError::new(ErrorCode::Overloaded, error.to_string()).after(Duration::from_secs(5))
        }
        StoreError::Away => {
            ApiError::new(ErrorCode::Overloaded, error.to_string()).after(Duration::from_secs(5))
        }
        StoreError::Sealed(cause) => {
            tracing::error!(%cause, "the job store keeps what cannot be opened");
            let message = format!("what was kept cannot be opened: {cause}");
            ApiError::new(ErrorCode::InternalError, message)
        }
        StoreError::Fenced | StoreError::Disk(_) | StoreError::KeyFile(_) | StoreError::Closed => {
            tracing::error!(%error, "the job store failed");
            ApiError::new(
                ErrorCode::InternalError,
                "the job store failed; see the log",
            )
        }
    }
}

/// What a job will take, going by what its detectors took lately.
pub fn estimate(app: &App) -> Duration {
    let registry = app.registry.load();
    let slowest = registry
        .iter()
        .filter_map(|detector| detector.usual_time(0.95))
        .max();
    slowest.unwrap_or(USUAL)
}

/// Takes jobs and runs them, one after the other, until shutdown.
pub async fn work(app: Arc<App>) {
    loop {
        let claim = tokio::select! {
            () = app.shutdown.cancelled() => return,
            claim = app.store.next(app.config.job_lease) => claim,
        };
        match claim {
            // Dropped by the shutdown it goes back to the store and is run after the restart.
            Ok(claim) => tokio::select! {
                () = app.shutdown.cancelled() => return,
                () = execute(&app, claim) => {}
            },
            Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "no job can be taken from the store");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn execute(app: &Arc<App>, claim: Claim) {
    let outcome = tokio::select! {
        outcome = outcome(app, &claim) => outcome,
        // Cancelled or given to somebody else: what we would find out counts no more.
        () = keep(&claim, app.config.job_lease / 3) => return,
    };
    if let Err(error) = claim.finish(outcome).await {
        tracing::warn!(%error, "a job's outcome does not count");
    }
}

/// Renews the claim; ends when it is not ours any more.
async fn keep(claim: &Claim, pause: Duration) {
    let mut ticks = interval(pause);
    loop {
        ticks.tick().await;
        if let Err(StoreError::Ended(_) | StoreError::Fenced) = claim.renew(0.5).await {
            return;
        }
    }
}

async fn outcome(app: &Arc<App>, claim: &Claim) -> Outcome {
    let failed = |error: &ApiError| Outcome::Failed(error.json(&claim.job().request_id));
    let opened = match claim.payload() {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(job = %claim.job().id, %error, "a job cannot be run");
            let message = format!("the job's request cannot be opened: {error}");
            return failed(&ApiError::new(ErrorCode::InternalError, message));
        }
    };
    let Ok(payload) = serde_json::from_slice::<Payload>(opened) else {
        let message = "the job was written by another version and cannot be read";
        return failed(&ApiError::new(ErrorCode::InternalError, message));
    };
    let origin = Origin {
        request_id: payload.request_id,
        traceparent: payload
            .traceparent
            .and_then(|it| HeaderValue::from_str(&it).ok()),
        idempotency_key: None,
        started: Instant::now(),
        mode: ProcessingMode::Async,
        job_id: Some(claim.job().id.to_string()),
    };
    match run::counted(app, payload.request, &origin).await {
        Ok(reply) => Outcome::Completed(reply.body),
        Err(error) => failed(&error),
    }
}
