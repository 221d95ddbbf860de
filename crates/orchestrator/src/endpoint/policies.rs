//! Policies at run time.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request};
use axum::response::Response;
use detector_api::orchestrate::ErrorCode;
use serde_json::{Value, json};

use super::{read, respond};
use crate::app::App;
use crate::error::ApiError;
use crate::policies::Version;
use crate::policy::Policy;
use crate::request::auth::{self, POLICY_READ, POLICY_WRITE};
use crate::request::intake;

const BODY_BYTES: usize = 64 * 1024;
const MAX_BUNDLE_CHARS: usize = 128;

pub async fn list(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
) -> Response {
    let result = allow(&app, &headers, &tenant, POLICY_READ).map(|()| {
        let summary = |(bundle, version): (String, Version)| {
            json!({ "bundle": bundle, "version": version.version, "created_at": version.created_at })
        };
        let bundles: Vec<Value> = app.catalog.policies.bundles(&tenant).into_iter().map(summary).collect();
        Json(json!({ "tenant": tenant, "policies": bundles }))
    });
    respond(result, &headers)
}

type Named = Path<(String, String)>;

pub async fn get(
    State(app): State<Arc<App>>,
    Path((tenant, bundle)): Named,
    headers: HeaderMap,
) -> Response {
    let result = allow(&app, &headers, &tenant, POLICY_READ).and_then(|()| {
        let found = app
            .catalog
            .policies
            .latest(&tenant, &bundle)
            .ok_or_else(none)?;
        Ok(Json(describe(&tenant, &bundle, &found)))
    });
    respond(result, &headers)
}

pub async fn put(
    State(app): State<Arc<App>>,
    Path((tenant, bundle)): Named,
    request: Request<Body>,
) -> Response {
    let headers = request.headers().clone();
    respond(store(&app, &tenant, &bundle, request).await, &headers)
}

async fn store(
    app: &App,
    tenant: &str,
    bundle: &str,
    request: Request<Body>,
) -> Result<Json<Value>, ApiError> {
    allow(app, request.headers(), tenant, POLICY_WRITE)?;
    if bundle.is_empty() || bundle.chars().count() > MAX_BUNDLE_CHARS {
        return Err(ApiError::invalid("bundle", "must be 1 to 128 characters"));
    }
    let (parts, body) = request.into_parts();
    let body = read(&parts.headers, body, BODY_BYTES).await?;
    let policy: Policy = intake::parse(&body)?;
    policy.check()?;
    let version = app.catalog.store_policy(tenant, bundle, policy).await?;
    app.answering.answers.forget_policy(tenant, bundle).await;
    Ok(Json(describe(tenant, bundle, &version)))
}

pub async fn delete(
    State(app): State<Arc<App>>,
    Path((tenant, bundle)): Named,
    headers: HeaderMap,
) -> Response {
    let result = async {
        allow(&app, &headers, &tenant, POLICY_WRITE)?;
        if !app.catalog.policies.delete(&tenant, &bundle) {
            return Err(none());
        }
        app.answering.answers.forget_policy(&tenant, &bundle).await;
        Ok(Json(
            json!({ "tenant": tenant, "bundle": bundle, "deleted": true }),
        ))
    };
    respond(result.await, &headers)
}

pub async fn versions(
    State(app): State<Arc<App>>,
    Path((tenant, bundle)): Named,
    headers: HeaderMap,
) -> Response {
    let result = allow(&app, &headers, &tenant, POLICY_READ).and_then(|()| {
        let versions = app.catalog.policies.versions(&tenant, &bundle);
        if versions.is_empty() {
            return Err(none());
        }
        Ok(Json(
            json!({ "tenant": tenant, "bundle": bundle, "versions": versions }),
        ))
    });
    respond(result, &headers)
}

pub async fn roll_back(
    State(app): State<Arc<App>>,
    Path((tenant, bundle, version)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let result = async {
        allow(&app, &headers, &tenant, POLICY_WRITE)?;
        let wrong = |_| ApiError::invalid("version", "must be a number");
        let version: u64 = version.parse().map_err(wrong)?;
        let version = app
            .catalog
            .roll_back_policy(&tenant, &bundle, version)
            .await?
            .ok_or_else(none)?;
        app.answering.answers.forget_policy(&tenant, &bundle).await;
        Ok(Json(describe(&tenant, &bundle, &version)))
    };
    respond(result.await, &headers)
}

/// Whether the caller may do this with the tenant's policies.
fn allow(app: &App, headers: &HeaderMap, tenant: &str, scope: &str) -> Result<(), ApiError> {
    let caller = auth::identify(&app.config.auth, headers)?;
    caller.require(scope)?;
    caller.tenant(Some(tenant), headers).map(drop)
}

fn describe(tenant: &str, bundle: &str, version: &Version) -> Value {
    let mut body = json!(version);
    body["tenant"] = tenant.into();
    body["bundle"] = bundle.into();
    body
}

fn none() -> ApiError {
    let message = "the tenant has no such policy or version; GET /policies/{tenant} lists them";
    ApiError::new(ErrorCode::NotFound, message)
}
