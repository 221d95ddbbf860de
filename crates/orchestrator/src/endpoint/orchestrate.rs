//! `POST /orchestrate`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use detector_api::header as names;
use detector_api::orchestrate::{OrchestrateRequest, ProcessingMode};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{id_value, origin, read, request_id};
use crate::app::App;
use crate::auth::{self, Caller, ORCHESTRATE_WRITE};
use crate::error::ApiError;
use crate::intake::{self, Accepted};
use crate::metrics::Finished;
use crate::run::{Origin, Reply, run};

pub async fn orchestrate(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let headers = request.headers().clone();
    let id = request_id(&headers);
    let mut response = match answer(&app, request, &headers, &id).await {
        Ok(response) => response,
        Err(error) => error.into_response(&id),
    };
    let out = response.headers_mut();
    out.insert(names::ORCHESTRATOR_REQUEST_ID, id_value(&id));
    if let Some(key) = headers.get(names::IDEMPOTENCY_KEY) {
        out.insert(names::IDEMPOTENCY_KEY, key.clone());
    }
    response
}

async fn answer(
    app: &Arc<App>,
    request: Request<Body>,
    headers: &HeaderMap,
    id: &str,
) -> Result<Response, ApiError> {
    let caller = auth::identify(&app.config.auth, headers)?;
    caller.require(ORCHESTRATE_WRITE)?;
    intake::check_media_type(headers)?;
    let body = read(request, app.config.limits.body_bytes).await?;
    let origin = origin(headers, id.to_owned())?;
    let parsed: OrchestrateRequest = intake::parse(&body)?;
    let reply = process(app, parsed, &caller, (headers, &origin)).await?;
    Ok(reply_response(app, reply))
}

/// Runs one parsed request and counts it. Shared with the batch.
pub(super) async fn process(
    app: &Arc<App>,
    request: OrchestrateRequest,
    caller: &Caller,
    (headers, origin): (&HeaderMap, &Origin),
) -> Result<Reply, ApiError> {
    let accepted = intake::accept(request, caller, headers)?;
    if accepted.mode == ProcessingMode::Async {
        return Err(ApiError::not_built("processing_mode async"));
    }
    counted(app, accepted, origin).await
}

async fn counted(app: &Arc<App>, accepted: Accepted, origin: &Origin) -> Result<Reply, ApiError> {
    let (tenant, policy, mode) = (
        accepted.tenant.clone(),
        accepted.bundle.clone(),
        accepted.mode,
    );
    let in_flight = InFlight::enter(app);
    let result = run(app, accepted, origin).await;
    drop(in_flight);
    let status = match &result {
        Ok(reply) if reply.partial => "partial",
        Ok(_) => "success",
        Err(_) => "error",
    };
    app.metrics.finished(&Finished {
        tenant: &tenant,
        policy: &policy,
        status,
        mode,
        duration: origin.started.elapsed(),
    });
    result
}

pub(super) fn reply_response(app: &App, reply: Reply) -> Response {
    let status = if reply.partial {
        StatusCode::from_u16(app.config.partial_status).unwrap_or(StatusCode::PARTIAL_CONTENT)
    } else {
        StatusCode::OK
    };
    let mut response = (status, reply.body).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(names::CACHE, HeaderValue::from_static(reply.cache.name()));
    headers.insert("server-timing", reply.timing.header());
    if reply.partial {
        // 206 answers ranges in RFC 9110: nobody on the way may keep this one.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(age) = reply.age {
        headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
    }
    response
}

/// Counts a request while it is worked on, even if its client leaves.
struct InFlight<'a>(&'a App);

impl<'a> InFlight<'a> {
    fn enter(app: &'a App) -> Self {
        app.metrics.in_flight.inc();
        Self(app)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.metrics.in_flight.dec();
    }
}
