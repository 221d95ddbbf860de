//! Plans of future requests, and profiles recorded from past ones.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fault_profile::plan::{FirstRequests, Plan};
use fault_profile::record::{RecordedRequest, profile_of};
use fault_profile::{Failure, Profile};
use serde::Deserialize;
use serde_json::json;
use simulated_server::admin::{CheckedQuery, error};

use super::Shared;
use crate::journal::{Entry, Filter};

/// Maximum number of requests in a plan.
const MAX_PLANNED: u64 = 100_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PlanQuery {
    n: u64,
    tenant: String,
    at_ms: u64,
}

impl Default for PlanQuery {
    fn default() -> Self {
        Self {
            n: 10,
            tenant: String::new(),
            at_ms: 0,
        }
    }
}

/// `GET /__admin/plan?n=`: the schedule, and the decisions for the first requests.
pub(super) async fn plan(
    State(detector): Shared,
    CheckedQuery(query): CheckedQuery<PlanQuery>,
) -> Response {
    let live = detector.control.live();
    let first = FirstRequests {
        tenant: &query.tenant,
        count: query.n.min(MAX_PLANNED),
        at: Duration::from_millis(query.at_ms),
    };
    Json(Plan::new(&live.model, &detector.name, first)).into_response()
}

/// `POST /__admin/record`: a profile that reproduces the journal.
pub(super) async fn record(
    State(detector): Shared,
    CheckedQuery(filter): CheckedQuery<Filter>,
) -> Response {
    let live = detector.control.live();
    let entries = detector.journal.select(&filter);
    let seen: Vec<RecordedRequest> = entries
        .iter()
        .filter(|entry| !entry.cancelled)
        .map(|entry| RecordedRequest {
            latency: Duration::from_micros(entry.actual_us),
            failure: failure_of(entry, &live.config),
        })
        .collect();
    match profile_of(&seen, live.config.seed) {
        Some(profile) => {
            Json(json!({ "requests": seen.len(), "profile": profile })).into_response()
        }
        None => {
            let message = "the journal contains no matching request";
            error(StatusCode::CONFLICT, "nothing_seen", message)
        }
    }
}

/// The failure of an entry, with its settings in the current profile if it has it.
fn failure_of(entry: &Entry, profile: &Profile) -> Option<Failure> {
    let status = |code| Failure::Status {
        code,
        retry_after_s: None,
        message: None,
        body_code: None,
    };
    match entry.fault {
        crate::metrics::NO_FAULT => None,
        crate::metrics::RATE_LIMITED | crate::metrics::OVERFLOW | crate::metrics::BAD_REQUEST => {
            Some(status(entry.status))
        }
        name => {
            let same = |kind: &&Failure| match kind {
                Failure::Status { code, .. } => *code == entry.status,
                _ => true,
            };
            let known = profile.failures.iter().map(|entry| &entry.kind);
            let known = known.filter(|kind| kind.name() == name).find(same).cloned();
            let bare = || crate::config::failure_of(name).ok().flatten();
            known
                .or_else(|| (name == "status").then(|| status(entry.status)))
                .or_else(bare)
        }
    }
}
