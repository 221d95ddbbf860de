//! `POST /orchestrate/batch`: up to 100 requests at once, each keeping its place.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use detector_api::header as names;
use detector_api::orchestrate::{BatchError, MAX_BATCH, OrchestrateRequest};
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

use super::orchestrate::{Work, process};
use super::{id_value, origin, read, request_id};
use crate::app::App;
use crate::auth::{self, Caller, ORCHESTRATE_WRITE};
use crate::error::ApiError;
use crate::intake;
use crate::run::Origin;

pub async fn batch(State(app): State<Arc<App>>, mut request: Request<Body>) -> Response {
    let headers = std::mem::take(request.headers_mut());
    let id = request_id(&headers);
    let mut response = match answer(&app, request, &headers, &id).await {
        Ok(body) => {
            let json = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, json)], body).into_response()
        }
        Err(error) => error.into_response(&id),
    };
    response
        .headers_mut()
        .insert(names::ORCHESTRATOR_REQUEST_ID, id_value(&id));
    response
}

async fn answer(
    app: &Arc<App>,
    request: Request<Body>,
    headers: &HeaderMap,
    id: &str,
) -> Result<Bytes, ApiError> {
    let caller = auth::identify(&app.config.auth, headers)?;
    caller.require(ORCHESTRATE_WRITE)?;
    intake::check_media_type(headers)?;
    let body = read(
        (headers, request.into_body()),
        app.config.limits.batch_body_bytes,
    )
    .await?;
    let entries = entries(intake::parse_any(&body)?)?;
    auth::tenant_header(headers)?;
    let origin = origin(headers, id.to_owned())?;
    let runs = entries.into_iter().enumerate().map(|(index, entry)| {
        let origin = Origin {
            request_id: format!("{id}-{index}"),
            idempotency_key: None,
            ..origin.clone()
        };
        entry_answer(app, entry, &caller, (headers, origin))
    });
    Ok(assemble(id, join_all(runs).await))
}

/// The entries of `{"requests": [...]}` or of a bare array.
fn entries(body: Value) -> Result<Vec<Value>, ApiError> {
    let list = match body {
        Value::Object(mut map) => map.swap_remove("requests"),
        other => Some(other),
    };
    let Some(Value::Array(entries)) = list else {
        let message = "must be an array of requests, alone or as \"requests\" of an object";
        return Err(ApiError::invalid("requests", message));
    };
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
    entry: Value,
    caller: &Caller<'_>,
    (headers, origin): (&HeaderMap, Origin),
) -> Entry {
    let id = origin.request_id.clone();
    let accepted = intake::from_value::<OrchestrateRequest>(entry)
        .and_then(|request| intake::accept(request, caller, headers));
    let result = match accepted {
        Ok(accepted) => {
            process(
                app,
                Work {
                    accepted,
                    origin,
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
