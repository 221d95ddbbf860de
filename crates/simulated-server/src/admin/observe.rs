//! Observation: the journal, and its verification.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CheckedQuery, error};
use crate::journal::Entry;
use crate::simulated::Simulated;

type Filter<S> = <<S as Simulated>::Entry as Entry>::Filter;

/// `GET /__admin/journal`: the entries that match.
pub(super) async fn journal<S: Simulated>(
    State(server): State<Arc<S>>,
    CheckedQuery(filter): CheckedQuery<Filter<S>>,
) -> Response {
    Json(json!({
        "recorded": server.journal().recorded(),
        "evicted": server.journal().evicted(),
        "entries": server.journal().select(&filter),
    }))
    .into_response()
}

/// `DELETE /__admin/journal`: deletes the entries; the numbering continues.
pub(super) async fn clear_journal<S: Simulated>(State(server): State<Arc<S>>) -> Response {
    Json(json!({ "cleared": server.journal().clear() })).into_response()
}

/// The expectations of the journal.
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
pub(super) async fn verify<S: Simulated>(
    State(server): State<Arc<S>>,
    CheckedQuery(expected): CheckedQuery<Expectation>,
    CheckedQuery(query): CheckedQuery<Vec<(String, String)>>,
) -> Response {
    let own = ["count", "min", "max", "sequence"];
    let filter: serde_json::Map<_, _> = query
        .into_iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, text)| {
            let value = typed::<S::Entry>(&name, text);
            (name, value)
        })
        .collect();
    let filter: Filter<S> = match serde_json::from_value(filter.into()) {
        Ok(filter) => filter,
        Err(wrong) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return error(status, "query", format!("query: {wrong}"));
        }
    };
    let entries = server.journal().select(&filter);
    let complaints = expected.complaints(&entries);
    let status = if complaints.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::EXPECTATION_FAILED
    };
    let body = json!({
        "ok": complaints.is_empty(),
        "count": entries.len(),
        "evicted": server.journal().evicted(),
        "complaints": complaints,
    });
    (status, Json(body)).into_response()
}

/// A query's text, converted to the type of its field.
fn typed<E: Entry>(name: &str, text: String) -> Value {
    if E::TEXT_FILTERS.contains(&name) {
        return text.into();
    }
    serde_json::from_str(&text).unwrap_or_else(|_| text.into())
}

impl Expectation {
    fn complaints<E: Entry>(&self, entries: &[E]) -> Vec<String> {
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
            let faults: Vec<&str> = entries.iter().map(Entry::fault).collect();
            if !faults.windows(wanted.len()).any(|window| window == wanted) {
                complaints.push(format!("the sequence {sequence} did not occur"));
            }
        }
        complaints
    }
}
