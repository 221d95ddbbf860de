//! `POST /orchestrate/resume`: completes a partial answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::orchestrate::sent;
use super::{identified, origin, read, request_id};
use crate::app::App;
use crate::auth::{self, ORCHESTRATE_WRITE};
use crate::error::ApiError;
use crate::intake;
use crate::run;

#[derive(Debug, Deserialize)]
struct ResumeRequest {
    resume_token: String,
    content: String,
    tenant_id: Option<String>,
}

pub async fn resume(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let id = request_id(request.headers());
    identified(answer(&app, request, &id).await, &id)
}

async fn answer(app: &Arc<App>, request: Request<Body>, id: &str) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let caller = auth::identify(&app.config.auth, &headers)?;
    caller.require(ORCHESTRATE_WRITE)?;
    intake::check_media_type(&headers)?;
    let body = read(
        (&headers, request.into_body()),
        app.config.limits.body_bytes,
    )
    .await?;
    let origin = origin(&headers, id.to_owned())?;
    let given: ResumeRequest = intake::parse(&body)?;
    let tenant = caller.tenant(given.tenant_id.as_deref(), &headers)?;
    let about = (tenant.as_str(), given.content.into());
    let reply = run::resume(app, &given.resume_token, about, &origin).await?;
    Ok(sent(app, reply).into_response())
}
