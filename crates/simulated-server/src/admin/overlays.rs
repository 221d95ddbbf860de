//! Overlays: named patches over the configuration, which are added and removed independently.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use live_config::{Change, Compiled, Live, Refused};
use serde_json::{Value, json};

use super::{CheckedQuery, Conditions, change_profile, changed, refuse};
use crate::simulated::Simulated;

/// `PUT /__admin/overlays/NAME`: puts a patch over the profile; with a TTL it expires. Overlays are independent
/// of each other, and the profile below them, its schedule and its own TTL continue.
pub(super) async fn lay<S: Simulated>(
    State(server): State<Arc<S>>,
    Path(name): Path<String>,
    CheckedQuery(conditions): CheckedQuery<Conditions>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    change_profile(conditions, &headers, &body, |value, change| {
        server.control().lay(&name, &value, change)
    })
}

/// `DELETE /__admin/overlays/NAME`: removes an overlay.
pub(super) async fn lift<S: Simulated>(
    State(server): State<Arc<S>>,
    Path(name): Path<String>,
    CheckedQuery(conditions): CheckedQuery<Conditions>,
    headers: HeaderMap,
) -> Response {
    answer(conditions, &headers, |change| {
        server.control().lift(&name, change)
    })
}

/// `POST /__admin/overlays/NAME/renew`: gives an overlay a new time to live. 404 when it has expired; renewing
/// does not restore it.
pub(super) async fn renew<S: Simulated>(
    State(server): State<Arc<S>>,
    Path(name): Path<String>,
    CheckedQuery(conditions): CheckedQuery<Conditions>,
    headers: HeaderMap,
) -> Response {
    answer(conditions, &headers, |change| {
        server.control().renew(&name, change.ttl)
    })
}

/// The overlays for `GET /__admin`, in the order in which they were added.
pub(super) fn list<S: Simulated>(server: &S) -> Value {
    let left = |at: Instant| at.saturating_duration_since(Instant::now()).as_millis() as u64;
    let overlays = server.control().overlays().into_iter();
    overlays
        .map(|(name, expires)| json!({ "name": name, "expires_in_ms": expires.map(left) }))
        .collect()
}

fn answer<C: Compiled>(
    conditions: Conditions,
    headers: &HeaderMap,
    apply: impl FnOnce(&Change) -> Result<Arc<Live<C>>, Refused>,
) -> Response {
    let change = match conditions.change(headers) {
        Ok(change) => change,
        Err(response) => return response,
    };
    match apply(&change) {
        Ok(live) => changed(&live, &change),
        Err(refused) => refuse(&refused),
    }
}
