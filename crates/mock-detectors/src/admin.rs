//! Health, metrics and the admin API.

mod observe;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use detector_api::dialect::Dialect;
use fault_profile::listener::Admin;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control::{Change, InFlight, Live, Refused, read_profile};
use crate::detector::Detector;
use crate::dialect::{self, ErrorReply, presidio};

pub(crate) type Shared = State<Arc<Detector>>;

/// Everything beside the calls that detect.
pub(crate) fn router(detector: Arc<Detector>, authority_pem: Option<String>) -> Router {
    let mut open = Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .fallback(unknown)
        .with_state(detector.clone());
    if detector.dialect == Dialect::Presidio {
        open = open
            .route(
                "/recognizers",
                get(|| async { Json(presidio::recognizers()) }),
            )
            .route(
                "/supportedentities",
                get(|| async { Json(presidio::supported_entities()) }),
            );
    }
    if let Some(pem) = authority_pem {
        let show = get(|| async { ([(header::CONTENT_TYPE, "application/x-pem-file")], pem) });
        open = open.route("/__admin/authority.pem", show);
    }
    match detector.listener.admin {
        Admin::SamePort => open.merge(admin_router(detector)),
        Admin::Port(_) | Admin::Off => open,
    }
}

/// The admin API alone.
pub(crate) fn admin_router(detector: Arc<Detector>) -> Router {
    Router::new()
        .route("/__admin", get(observe::state))
        .route(
            "/__admin/profile",
            get(get_profile).put(put_profile).patch(patch_profile),
        )
        .route("/__admin/reset", post(reset))
        .route("/__admin/plan", get(observe::plan))
        .route(
            "/__admin/journal",
            get(observe::journal).delete(observe::clear_journal),
        )
        .route("/__admin/verify", get(observe::verify))
        .route("/__admin/record", post(observe::record))
        .route("/__admin/schema", get(observe::schema))
        .with_state(detector)
}

async fn health(State(detector): Shared) -> Response {
    let (content_type, body) = dialect::health(detector.dialect, &detector.name);
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// What the detector's dialect says to a path or method that it does not have.
async fn unknown(State(detector): Shared, uri: axum::http::Uri) -> Response {
    let status = if dialect::is_call(detector.dialect, uri.path()) {
        StatusCode::METHOD_NOT_ALLOWED
    } else {
        StatusCode::NOT_FOUND
    };
    let message = format!("{} is not what this detector offers", uri.path());
    let error = ErrorReply {
        status,
        code: status.as_u16(),
        message: Some(&message),
    };
    let (body, extra) = dialect::write_error(detector.dialect, &error);
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    for (name, text) in extra {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn metrics(State(detector): Shared) -> Response {
    detector.refresh_metrics();
    service_runtime::metrics::render(&detector.metrics.registry)
}

/// Conditions of a change, in the query.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Conditions {
    ttl_ms: Option<u64>,
    in_flight: InFlight,
}

impl Conditions {
    /// # Errors
    /// The answer to an `If-Match` that is no revision.
    fn change(self, headers: &HeaderMap) -> Result<Change, Response> {
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
    let body = json!({ "error": "if_match", "message": message });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

async fn get_profile(State(detector): Shared) -> Response {
    let live = detector.control.live();
    (revision_tag(&live), Json(&live.profile)).into_response()
}

async fn put_profile(
    State(detector): Shared,
    Query(conditions): Query<Conditions>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    change_profile(conditions, &headers, &body, |value, change| {
        detector.control.put(read_profile(value)?, change)
    })
}

async fn patch_profile(
    State(detector): Shared,
    Query(conditions): Query<Conditions>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    change_profile(conditions, &headers, &body, |value, change| {
        detector.control.patch(&value, change)
    })
}

/// Back to the profile of the start; streams of requests and journal begin anew.
async fn reset(
    State(detector): Shared,
    Query(conditions): Query<Conditions>,
    headers: HeaderMap,
) -> Response {
    let change = match conditions.change(&headers) {
        Ok(change) => change,
        Err(response) => return response,
    };
    match detector.control.reset(&change) {
        Ok(live) => {
            observe::forget(&detector);
            changed(&live, &change)
        }
        Err(refused) => refuse(&refused),
    }
}

fn change_profile(
    conditions: Conditions,
    headers: &HeaderMap,
    body: &[u8],
    apply: impl FnOnce(Value, &Change) -> Result<Arc<Live>, Refused>,
) -> Response {
    let change = match conditions.change(headers) {
        Ok(change) => change,
        Err(response) => return response,
    };
    let value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => {
            let body = json!({ "error": "malformed_json", "message": error.to_string() });
            return (StatusCode::BAD_REQUEST, Json(body)).into_response();
        }
    };
    match apply(value, &change) {
        Ok(live) => changed(&live, &change),
        Err(refused) => refuse(&refused),
    }
}

/// The answer to a change: what is in force from now on.
fn changed(live: &Live, change: &Change) -> Response {
    let since = live
        .since
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let body = json!({
        "revision": live.revision,
        "effective_unix_ms": since.as_millis() as u64,
        "expires_in_ms": change.ttl.map(|ttl| ttl.as_millis() as u64),
        "profile": live.profile,
    });
    (revision_tag(live), Json(body)).into_response()
}

fn refuse(refused: &Refused) -> Response {
    let message = refused.to_string();
    match refused {
        Refused::Revision { in_force, .. } => {
            let body = json!({ "error": "revision", "message": message, "revision": in_force });
            (StatusCode::PRECONDITION_FAILED, Json(body)).into_response()
        }
        Refused::Invalid(invalid) => {
            let fault =
                |(path, message): &(String, String)| json!({ "path": path, "message": message });
            let faults: Vec<Value> = invalid.faults.iter().map(fault).collect();
            let body = json!({ "error": "invalid_profile", "message": message, "faults": faults });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
        Refused::Unknown(_) => {
            let body = json!({ "error": "unknown_detector", "message": message });
            (StatusCode::NOT_FOUND, Json(body)).into_response()
        }
    }
}

fn revision_tag(live: &Live) -> [(header::HeaderName, HeaderValue); 1] {
    let tag = format!("\"{}\"", live.revision);
    [(
        header::ETAG,
        HeaderValue::from_str(&tag).expect("digits in quotes are a header value"),
    )]
}
