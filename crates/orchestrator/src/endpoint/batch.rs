//! `POST /orchestrate/batch`: up to 100 requests at once, each with its place in the response.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use bytes::Bytes;
use detector_api::orchestrate::{BatchError, MAX_BATCH, OrchestrateRequest};
use futures_util::future::join_all;
use http::HeaderMap;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::once::{Keyed, once};
use super::orchestrate::{Work, process};
use super::sent::Sent;
use super::{echoed, envelope, identified, read, request_id};
use crate::app::App;
use crate::error::ApiError;
use crate::request::auth::{self, Caller, ORCHESTRATE_WRITE};
use crate::request::envelope::Envelope;
use crate::request::intake::{self, Accepted};

pub async fn batch(State(app): State<Arc<App>>, mut request: Request<Body>) -> Response {
    let headers = std::mem::take(request.headers_mut());
    let id = request_id(&headers);
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
    let body = read(
        headers,
        request.into_body(),
        app.config.limits.batch_body_bytes,
    )
    .await?;
    let entries = entries(&body)?;
    auth::tenant_header(headers)?;
    let envelope = envelope(headers, id.to_owned())?;
    let accepted: Vec<_> = entries
        .into_iter()
        .map(|entry| {
            intake::parse::<OrchestrateRequest>(entry.get().as_bytes())
                .and_then(|request| intake::accept(request, &caller, headers))
        })
        .collect();
    let keyed = envelope.idempotency_key.clone().map(|key| Keyed {
        tenant: tenant(&caller, headers, &accepted),
        key,
        // A body may be valid both as a batch and as a single request.
        fingerprint: Sha256::new()
            .chain_update("batch\n")
            .chain_update(&body)
            .finalize()
            .into(),
        time: time(app, &accepted),
    });
    let work = all(app.clone(), accepted, envelope);
    match keyed {
        None => work.await,
        Some(keyed) => once(app, keyed, work).await,
    }
}

/// The tenant of a batch's key: the caller's, or the first entry's if every entry names its own.
fn tenant(
    caller: &Caller<'_>,
    headers: &HeaderMap,
    accepted: &[Result<Accepted, ApiError>],
) -> String {
    let first = || accepted.iter().flatten().next();
    caller
        .tenant(None, headers)
        .unwrap_or_else(|_| first().map(|it| it.tenant.clone()).unwrap_or_default())
}

/// The time limit of the slowest entry.
fn time(app: &App, accepted: &[Result<Accepted, ApiError>]) -> Duration {
    let each = accepted.iter().flatten();
    let longest = each.map(|it| app.config.sla.of(it.priority)).max();
    longest.unwrap_or_default()
}

/// Runs all entries concurrently.
async fn all(
    app: Arc<App>,
    accepted: Vec<Result<Accepted, ApiError>>,
    envelope: Envelope,
) -> Result<Sent, ApiError> {
    let id = envelope.request_id.clone();
    let runs = accepted.into_iter().enumerate().map(|(index, accepted)| {
        let envelope = Envelope {
            request_id: format!("{id}-{index}"),
            idempotency_key: None,
            ..envelope.clone()
        };
        entry_answer(&app, accepted, envelope)
    });
    let entries = join_all(runs).await;
    let any = entries.iter().any(|(_, error)| error.is_none());
    let mut sent = Sent::json(200, assemble(&id, entries));
    // Like a single request's error: a repetition is safe.
    sent.is_kept = any;
    Ok(sent)
}

fn entries(body: &[u8]) -> Result<Vec<&RawValue>, ApiError> {
    let entries = intake::batch(body)?;
    if entries.is_empty() || entries.len() > MAX_BATCH {
        let message = format!(
            "has {} entries, 1 to {MAX_BATCH} are allowed",
            entries.len()
        );
        return Err(ApiError::invalid("requests", &message));
    }
    Ok(entries)
}

/// One entry's JSON, and its error when it failed.
type Entry = (Bytes, Option<ApiError>);

async fn entry_answer(
    app: &Arc<App>,
    accepted: Result<Accepted, ApiError>,
    envelope: Envelope,
) -> Entry {
    let id = envelope.request_id.clone();
    let result = match accepted {
        Ok(accepted) => {
            process(
                app,
                Work {
                    accepted,
                    envelope,
                    patience: None,
                },
            )
            .await
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(sent) => (sent.body, None),
        Err(error) => (error.json(&id), Some(error)),
    }
}

fn assemble(id: &str, entries: Vec<Entry>) -> Bytes {
    let length: usize = entries.iter().map(|(json, _)| json.len() + 1).sum();
    let mut body = Vec::with_capacity(length + 256);
    body.extend_from_slice(b"{\"request_id\":");
    body.extend_from_slice(&json(&id));
    body.extend_from_slice(b",\"results\":[");
    let mut errors = Vec::new();
    for (index, (entry, error)) in entries.into_iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&entry);
        if let Some(error) = error {
            let ApiError { code, message, .. } = error;
            errors.push(BatchError {
                index,
                error_code: code,
                message,
            });
        }
    }
    body.extend_from_slice(b"],\"errors\":");
    body.extend_from_slice(&json(&(!errors.is_empty()).then_some(errors)));
    body.push(b'}');
    body.into()
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings, numbers and lists of them")
}
