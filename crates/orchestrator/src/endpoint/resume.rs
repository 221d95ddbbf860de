//! `POST /orchestrate/resume`: completes a partial answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::once::{Keyed, once};
use super::orchestrate::sent;
use super::sent::Sent;
use super::{echoed, envelope, identified, read, request_id};
use crate::app::App;
use crate::error::ApiError;
use crate::pipeline::{Task, accept, answer as answer_to};
use crate::request::auth::{self, ORCHESTRATE_WRITE};
use crate::request::envelope::Envelope;
use crate::request::intake;
use crate::request::limit::tell;
use crate::share::partials::Earlier;

#[derive(Debug, Deserialize)]
struct ResumeRequest {
    resume_token: String,
    content: String,
    tenant_id: Option<String>,
}

pub async fn resume(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let headers = request.headers().clone();
    let id = request_id(&headers);
    let answered = Box::pin(answer(&app, request, &id)).await;
    echoed(identified(answered, &id), &headers)
}

async fn answer(app: &Arc<App>, request: Request<Body>, id: &str) -> Result<Sent, ApiError> {
    let headers = request.headers().clone();
    let caller = auth::identify(&app.config.auth, &headers)?;
    caller.require(ORCHESTRATE_WRITE)?;
    intake::check_media_type(&headers)?;
    let body = read(&headers, request.into_body(), app.config.limits.body_bytes).await?;
    let envelope = envelope(&headers, id.to_owned())?;
    let given: ResumeRequest = intake::parse(&body)?;
    let tenant = caller.tenant(given.tenant_id.as_deref(), &headers)?;
    let keyed = envelope.idempotency_key.clone().map(|key| Keyed {
        tenant: tenant.clone(),
        key,
        fingerprint: Sha256::new()
            .chain_update("resume\n")
            .chain_update(&body)
            .finalize()
            .into(),
        time: app.config.sla.low,
    });
    let work = complete(app.clone(), given, tenant, envelope);
    match keyed {
        None => work.await,
        Some(keyed) => once(app, keyed, work).await,
    }
}

/// It calls detectors like any request and counts against the rate limit.
async fn complete(
    app: Arc<App>,
    given: ResumeRequest,
    tenant: String,
    envelope: Envelope,
) -> Result<Sent, ApiError> {
    let decision = accept(&app.answering, &tenant).await?;
    let partial = app
        .answering
        .partials
        .find(&given.resume_token, &tenant, &given.content)?;
    let task = Task {
        request: partial.request(given.content.into()),
        envelope: envelope.clone(),
        earlier: Some(Earlier {
            token: given.resume_token,
            partial,
        }),
    };
    let landed = answer_to(&app.answering, task).await?;
    let mut answer = sent(&app, landed.reply(&envelope));
    if let Some(decision) = decision {
        tell(&decision, &mut answer.headers);
    }
    Ok(answer)
}
