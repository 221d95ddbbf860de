//! `POST /cache/invalidate`: all, by tenant, by policy, by detector.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{read, request_id};
use crate::app::App;
use crate::auth::{self, ADMIN, Caller, ORCHESTRATE_WRITE};
use crate::cache::Scope;
use crate::error::ApiError;
use crate::intake;

const BODY_BYTES: usize = 16 * 1024;

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
    let body = read((&parts.headers, body), BODY_BYTES).await?;
    let mut scope: Scope = if body.is_empty() {
        Scope::default()
    } else {
        intake::parse(&body)?
    };
    match &caller {
        // Without the right to everything a key drops its own tenant's entries only.
        Caller::Key { tenant, .. } if caller.require(ADMIN).is_err() => {
            caller.require(ORCHESTRATE_WRITE)?;
            match &scope.tenant {
                Some(named) if named != *tenant => caller.require(ADMIN)?,
                _ => scope.tenant = Some((*tenant).to_owned()),
            }
        }
        _ => caller.require(ADMIN)?,
    }
    let detector_answers = app.answers.invalidate(&scope);
    Ok(json!({
        "invalidated": app.invalidate(&scope).await,
        "detector_answers": detector_answers,
    }))
}
