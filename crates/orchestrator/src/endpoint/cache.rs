//! `POST /cache/invalidate`: all, by tenant, by policy, by detector.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{read, request_id};
use crate::app::App;
use crate::ask::registry::SpelledName;
use crate::error::ApiError;
use crate::request::auth::{self, ADMIN, Caller, ORCHESTRATE_WRITE};
use crate::request::intake;
use crate::share::scope::Scope;

const BODY_BYTES: usize = 16 * 1024;

/// A scope as in a request.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Given {
    tenant: Option<String>,
    policy: Option<String>,
    /// Its name or an alias.
    detector: Option<SpelledName>,
}

pub async fn invalidate(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let id = request_id(request.headers());
    match drop_entries(&app, request).await {
        Ok(body) => Json(body).into_response(),
        Err(error) => error.into_response(&id),
    }
}

async fn drop_entries(app: &App, request: Request<Body>) -> Result<Value, ApiError> {
    let caller = auth::identify(&app.config.auth, request.headers())?;
    let (parts, body) = request.into_parts();
    let body = read(&parts.headers, body, BODY_BYTES).await?;
    let given: Given = if body.is_empty() {
        Given::default()
    } else {
        intake::parse(&body)?
    };
    let resolve = |spelled| app.catalog.registry.load().resolve(&spelled);
    let mut scope = Scope {
        tenant: given.tenant,
        policy: given.policy,
        detector: given.detector.map(resolve),
    };
    match &caller {
        // A key without the scope for everything drops only its own tenant's entries.
        Caller::Key { tenant, .. } if caller.require(ADMIN).is_err() => {
            caller.require(ORCHESTRATE_WRITE)?;
            match &scope.tenant {
                Some(named) if named != *tenant => caller.require(ADMIN)?,
                _ => scope.tenant = Some((*tenant).to_owned()),
            }
        }
        _ => caller.require(ADMIN)?,
    }
    let detector_answers = app.answering.answers.single.invalidate(&scope);
    Ok(json!({
        "invalidated": app.answering.answers.invalidate(&scope).await,
        "detector_answers": detector_answers,
    }))
}
