//! Requests that are answered later: stored on disk and run by workers, each with exactly one outcome.

use std::sync::Arc;
use std::time::Duration;

use detector_api::orchestrate::{ErrorCode, ProcessingMode};
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, interval};
use uuid::Uuid;

use crate::app::App;
use crate::error::ApiError;
use crate::jobs::refused;
use crate::pipeline::{self, Task};
use crate::request::envelope::Envelope;
use crate::request::intake::Accepted;
use job_store::{Claim, Job, NewJob, Outcome, StoreError};

/// The pause after the disk failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The input of a job. Deleted from disk when the job ends.
#[derive(Serialize, Deserialize)]
struct Payload {
    request: Accepted,
    request_id: String,
    traceparent: Option<String>,
    /// The run that it takes over, if the process that started it still lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<Uuid>,
}

/// Stores a request on disk. When this returns, it will be run even if the process ends. If `run` is in
/// progress, the job takes it over.
///
/// # Errors
/// NOT_IMPLEMENTED without a durable store, OVERLOADED when it is full or its disk fails.
pub async fn submit(
    app: &App,
    mut request: Accepted,
    envelope: &Envelope,
    run: Option<Uuid>,
) -> Result<Job, ApiError> {
    if !app.jobs.are_kept() {
        let message = "asynchronous jobs need persistent storage: set orchestration.job_store";
        return Err(ApiError::new(ErrorCode::NotImplemented, message));
    }
    // A request that cannot be planned is refused now, while the client still waits.
    pipeline::check(&app.answering, &request)?;
    request.mode = ProcessingMode::Async;
    let (tenant, urgency) = (request.tenant.clone(), request.priority as u8);
    let traceparent = envelope
        .traceparent
        .as_ref()
        .and_then(|value| value.to_str().ok());
    let payload = Payload {
        request,
        request_id: envelope.request_id.clone(),
        traceparent: traceparent.map(str::to_owned),
        run,
    };
    let new = NewJob {
        request_id: envelope.request_id.clone(),
        tenant,
        urgency,
        payload: serde_json::to_vec(&payload)
            .expect("strings and numbers")
            .into(),
    };
    app.jobs
        .store
        .submit(new)
        .await
        .map_err(|error| refused(&error))
}

/// Takes jobs and runs them, one after the other, until shutdown.
pub async fn work(app: Arc<App>) {
    loop {
        let claim = tokio::select! {
            () = app.shutdown.cancelled() => return,
            claim = app.jobs.store.next(app.config.job_lease) => claim,
        };
        match claim {
            // On shutdown it returns to the store and is run after the restart.
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
        // Cancelled or claimed by another worker: the result would be discarded.
        () = keep(&claim, app.config.job_lease / 3) => return,
    };
    if let Err(error) = claim.finish(outcome).await {
        tracing::warn!(%error, "the result of a job was discarded");
    }
}

/// Renews the claim; ends when the claim is lost.
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
            let message = format!("the job's request cannot be decrypted: {error}");
            return failed(&ApiError::new(ErrorCode::InternalError, message));
        }
    };
    let Ok(payload) = serde_json::from_slice::<Payload>(opened) else {
        let message = "the job was written by another version and cannot be read";
        return failed(&ApiError::new(ErrorCode::InternalError, message));
    };
    let envelope = Envelope {
        request_id: payload.request_id,
        traceparent: payload
            .traceparent
            .and_then(|it| HeaderValue::from_str(&it).ok()),
        idempotency_key: None,
        started: Instant::now(),
        mode: ProcessingMode::Async,
        job_id: Some(claim.job().id.to_string()),
    };
    let begun = payload.run.and_then(|name| app.jobs.handover.take(name));
    let ended = match begun {
        Some(run) => run.await.ok(),
        None => None,
    };
    let landed = match ended {
        Some(landed) => landed,
        None => {
            let task = Task {
                request: payload.request,
                envelope: envelope.clone(),
                earlier: None,
            };
            pipeline::answer(&app.answering, task).await
        }
    };
    match landed {
        Ok(landed) => Outcome::Completed(landed.reply(&envelope).body),
        Err(error) => failed(&error),
    }
}
