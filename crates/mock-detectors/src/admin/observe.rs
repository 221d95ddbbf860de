//! Looking at what was done: journal, verification, recording, plans.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fault_profile::plan::Plan;
use fault_profile::record::{Seen, profile_of};
use fault_profile::{Failure, Profile};
use serde::Deserialize;
use serde_json::json;

use super::Shared;
use crate::detector::Detector;
use crate::journal::{Entry, Filter};

/// Requests that a plan may list.
const MAX_PLANNED: u64 = 100_000;

/// `GET /__admin`: the state in short.
pub(super) async fn state(State(detector): Shared) -> Response {
    let live = detector.control.live();
    let expires_in = live
        .expires
        .map(|at| at.saturating_duration_since(Instant::now()));
    Json(json!({
        "detector": detector.name,
        "dialect": detector.dialect,
        "revision": live.revision,
        "plan_hash": live.model.timeline().hash(),
        "active_stages": live.model.timeline().segment_at(live.at(Instant::now())).stages,
        "expires_in_ms": expires_in.map(|time| time.as_millis() as u64),
        "success_rate": live.profile.success_rate,
        "latency": live.profile.latency,
        "recorded": detector.journal.recorded(),
        "evicted": detector.journal.evicted(),
        "degraded": detector.metrics.is_degraded(),
    }))
    .into_response()
}

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

/// `GET /__admin/plan?n=`: what holds when, and what the first requests will meet.
pub(super) async fn plan(State(detector): Shared, Query(query): Query<PlanQuery>) -> Response {
    let live = detector.control.live();
    let at = Duration::from_millis(query.at_ms);
    let first = (query.tenant.as_str(), query.n.min(MAX_PLANNED), at);
    Json(Plan::new(&live.model, &detector.name, first)).into_response()
}

/// `GET /__admin/journal`: the entries that match.
pub(super) async fn journal(State(detector): Shared, Query(filter): Query<Filter>) -> Response {
    Json(json!({
        "recorded": detector.journal.recorded(),
        "evicted": detector.journal.evicted(),
        "entries": detector.journal.select(&filter),
    }))
    .into_response()
}

/// `DELETE /__admin/journal`: forgets the entries; the numbering goes on.
pub(super) async fn clear_journal(State(detector): Shared) -> Response {
    Json(json!({ "cleared": detector.journal.clear() })).into_response()
}

/// What is expected of the journal.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Expectation {
    /// Exactly this many entries match.
    count: Option<usize>,
    min: Option<usize>,
    max: Option<usize>,
    /// Faults in this order, separated by commas, with nothing of the tenant between them.
    sequence: Option<String>,
}

/// `GET /__admin/verify`: 200 when the journal is as expected, 417 when it is not. Filters are
/// those of the journal.
pub(super) async fn verify(
    State(detector): Shared,
    Query(expected): Query<Expectation>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let own = ["count", "min", "max", "sequence"];
    let filter: serde_json::Map<_, _> = query
        .into_iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, text)| {
            let value = typed(&name, text);
            (name, value)
        })
        .collect();
    let filter: Filter = match serde_json::from_value(filter.into()) {
        Ok(filter) => filter,
        Err(error) => {
            let body = json!({ "error": "filter", "message": error.to_string() });
            return (StatusCode::BAD_REQUEST, Json(body)).into_response();
        }
    };
    let entries = detector.journal.select(&filter);
    let complaints = expected.complaints(&entries);
    let status = if complaints.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::EXPECTATION_FAILED
    };
    let body = json!({
        "ok": complaints.is_empty(),
        "count": entries.len(),
        "evicted": detector.journal.evicted(),
        "complaints": complaints,
    });
    (status, Json(body)).into_response()
}

/// A query's text as the type that its field has.
fn typed(name: &str, text: String) -> serde_json::Value {
    if ["fault", "tenant", "key"].contains(&name) {
        return text.into();
    }
    serde_json::from_str(&text).unwrap_or_else(|_| text.into())
}

impl Expectation {
    fn complaints(&self, entries: &[Entry]) -> Vec<String> {
        let seen = entries.len();
        let mut complaints = Vec::new();
        if let Some(count) = self.count.filter(|count| *count != seen) {
            complaints.push(format!("{seen} entries match, not {count}"));
        }
        if let Some(min) = self.min.filter(|min| *min > seen) {
            complaints.push(format!("{seen} entries match, fewer than {min}"));
        }
        if let Some(max) = self.max.filter(|max| *max < seen) {
            complaints.push(format!("{seen} entries match, more than {max}"));
        }
        if let Some(sequence) = &self.sequence {
            let wanted: Vec<&str> = sequence.split(',').map(str::trim).collect();
            let faults: Vec<&str> = entries.iter().map(|entry| entry.fault).collect();
            if !faults.windows(wanted.len()).any(|window| window == wanted) {
                complaints.push(format!("the sequence {sequence} did not occur"));
            }
        }
        complaints
    }
}

/// `POST /__admin/record`: a profile that would have shown what the journal holds.
pub(super) async fn record(State(detector): Shared, Query(filter): Query<Filter>) -> Response {
    let live = detector.control.live();
    let entries = detector.journal.select(&filter);
    let seen: Vec<Seen> = entries
        .iter()
        .filter(|entry| !entry.cancelled)
        .map(|entry| Seen {
            latency: Duration::from_micros(entry.actual_us),
            failure: failure_of(entry, &live.profile),
        })
        .collect();
    match profile_of(&seen, live.profile.seed) {
        Some(profile) => {
            Json(json!({ "requests": seen.len(), "profile": profile })).into_response()
        }
        None => {
            let message = "the journal holds no request that matches";
            let body = json!({ "error": "nothing_seen", "message": message });
            (StatusCode::CONFLICT, Json(body)).into_response()
        }
    }
}

/// The failure that an entry names, with the settings of the profile in force where it has it.
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

/// `GET /__admin/schema`: JSON Schema of a profile.
pub(super) async fn schema() -> Response {
    Json(schemars::schema_for!(Profile)).into_response()
}

pub(super) fn forget(detector: &Arc<Detector>) {
    detector.journal.clear();
    detector.tally.reset();
}
