//! The admin API: the configuration in force, and its changes.

mod described;
mod errors;
mod observe;
mod overlays;
mod port;
mod query;
pub mod take_in;

pub use described::described;
pub use errors::{error, no_such_method, read_json};
pub use port::{bind, serve};
pub use query::CheckedQuery;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use axum::{Json, Router};
use bytes::Bytes;
use live_config::{Change, Compiled, ConfigError, InFlight, Invalid, Live, Refused};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::simulated::Simulated;

/// The routes that every simulated server has, merged with its own.
pub fn router<S: Simulated>(server: Arc<S>) -> Router {
    Router::new()
        .route("/__admin", get(state::<S>))
        .route(
            "/__admin/profile",
            get(get_profile::<S>)
                .put(put_profile::<S>)
                .patch(patch_profile::<S>),
        )
        .route("/__admin/reset", post(reset::<S>))
        .route(
            "/__admin/overlays/{name}",
            put(overlays::lay::<S>).delete(overlays::lift::<S>),
        )
        .route("/__admin/overlays/{name}/renew", post(overlays::renew::<S>))
        .route(
            "/__admin/journal",
            get(observe::journal::<S>).delete(observe::clear_journal::<S>),
        )
        .route("/__admin/verify", get(observe::verify::<S>))
        .route("/__admin/schema", get(schema::<S>))
        .route("/__admin/{*path}", any(errors::no_such_path))
        .method_not_allowed_fallback(no_such_method)
        .with_state(server)
        .layer(from_fn(take_in::whole))
}

/// Conditions of a change, in the query.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conditions {
    /// The time after which the change is reverted.
    pub ttl_ms: Option<u64>,
    pub in_flight: InFlight,
}

impl Conditions {
    /// The change of a request, with the revision of the header `If-Match`.
    ///
    /// # Errors
    /// The response to an `If-Match` that is not a revision.
    pub fn change(self, headers: &HeaderMap) -> Result<Change, Response> {
        let if_revision = match headers.get(header::IF_MATCH) {
            None => None,
            Some(value) => {
                let text = value.to_str().unwrap_or_default().trim();
                match text {
                    "*" => None,
                    _ => Some(
                        text.trim_matches('"')
                            .parse()
                            .map_err(|_| bad_if_match(text))?,
                    ),
                }
            }
        };
        let ttl = self.ttl_ms.map(Duration::from_millis);
        Ok(Change {
            if_revision,
            ttl,
            in_flight: self.in_flight,
        })
    }
}

fn bad_if_match(text: &str) -> Response {
    let message = format!("If-Match must be a revision, such as \"3\", or *, not {text}");
    error(StatusCode::BAD_REQUEST, "if_match", message)
}

async fn state<S: Simulated>(State(server): State<Arc<S>>) -> Response {
    let mut state = server.state();
    state["overlays"] = overlays::list(&*server);
    state["process"] = crate::process::figures();
    Json(state).into_response()
}

async fn schema<S: Simulated>(State(server): State<Arc<S>>) -> Response {
    Json(server.schema()).into_response()
}

async fn get_profile<S: Simulated>(State(server): State<Arc<S>>) -> Response {
    let live = server.control().live();
    (revision_tag(live.revision), Json(&live.config)).into_response()
}

async fn put_profile<S: Simulated>(
    State(server): State<Arc<S>>,
    CheckedQuery(conditions): CheckedQuery<Conditions>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    change_profile(conditions, &headers, &body, |value, change| {
        server.control().put(value, change)
    })
}

async fn patch_profile<S: Simulated>(
    State(server): State<Arc<S>>,
    CheckedQuery(conditions): CheckedQuery<Conditions>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    change_profile(conditions, &headers, &body, |value, change| {
        server.control().patch(&value, change)
    })
}

/// Restores the initial configuration; overlays are removed, the journal and the server's state are cleared.
async fn reset<S: Simulated>(
    State(server): State<Arc<S>>,
    CheckedQuery(conditions): CheckedQuery<Conditions>,
    headers: HeaderMap,
) -> Response {
    let change = match conditions.change(&headers) {
        Ok(change) => change,
        Err(response) => return response,
    };
    match server.control().reset(&change) {
        Ok(live) => {
            server.journal().clear();
            server.begin_anew();
            changed(&live, &change)
        }
        Err(refused) => refuse(&refused),
    }
}

/// Reads a change from a request, applies it, and responds with the configuration in force.
pub fn change_profile<C: Compiled>(
    conditions: Conditions,
    headers: &HeaderMap,
    body: &[u8],
    apply: impl FnOnce(Value, &Change) -> Result<Arc<Live<C>>, Refused>,
) -> Response {
    let change = match conditions.change(headers) {
        Ok(change) => change,
        Err(response) => return response,
    };
    let value = match read_json(body) {
        Ok(value) => value,
        Err(response) => return response,
    };
    match apply(value, &change) {
        Ok(live) => changed(&live, &change),
        Err(refused) => refuse(&refused),
    }
}

/// The response to a change: the configuration that is now in force.
pub fn changed<C: Compiled>(live: &Live<C>, change: &Change) -> Response {
    let since = live
        .since
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let body = json!({
        "revision": live.revision,
        "effective_unix_ms": since.as_millis() as u64,
        "expires_in_ms": change.ttl.map(|ttl| ttl.as_millis() as u64),
        "profile": live.config,
    });
    (revision_tag(live.revision), Json(body)).into_response()
}

/// The response to a change that was refused.
pub fn refuse(refused: &Refused) -> Response {
    let message = refused.to_string();
    let (status, body) = match refused {
        Refused::Revision { in_force, .. } => {
            let body = json!({ "error": "revision", "message": message, "revision": in_force });
            (StatusCode::PRECONDITION_FAILED, body)
        }
        Refused::Invalid(invalid) => {
            let body = listed("invalid_profile", &message, invalid);
            (StatusCode::UNPROCESSABLE_ENTITY, body)
        }
        Refused::NotWhileRunning(invalid) => {
            let body = listed("not_while_running", &message, invalid);
            (StatusCode::CONFLICT, body)
        }
        Refused::NoOverlay(_) => return error(StatusCode::NOT_FOUND, "unknown_overlay", message),
        Refused::OverlayName => {
            return error(StatusCode::UNPROCESSABLE_ENTITY, "overlay_name", message);
        }
        Refused::TooManyChanges { .. } => {
            return error(StatusCode::CONFLICT, "too_many_changes", message);
        }
        Refused::TooManyOverlays { .. } => {
            return error(StatusCode::CONFLICT, "too_many_overlays", message);
        }
    };
    (status, Json(body)).into_response()
}

fn listed(error: &str, message: &str, invalid: &Invalid) -> Value {
    let entry = |error: &ConfigError| json!({ "path": error.path, "message": error.message });
    let errors: Vec<Value> = invalid.errors.iter().map(entry).collect();
    json!({ "error": error, "message": message, "errors": errors })
}

/// The revision as an `ETag`.
///
/// # Panics
/// Never panics: digits in quotes are a valid header value.
pub fn revision_tag(revision: u64) -> [(header::HeaderName, HeaderValue); 1] {
    let tag = format!("\"{revision}\"");
    [(
        header::ETAG,
        HeaderValue::from_str(&tag).expect("digits in quotes are a header value"),
    )]
}
