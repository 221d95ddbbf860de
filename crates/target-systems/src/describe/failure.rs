//! Failures with which an endpoint can respond.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::document::{Document, Endpoint, Flow, RequestShape, Step};

/// The schema of every failure.
pub(super) fn schema() -> Json {
    json!({
        "type": "object",
        "required": ["detail", "error_type"],
        "properties": {
            "detail": { "type": "string" },
            "error_type": { "type": "string" },
        },
    })
}

/// Statuses with their causes; `default` if faults may cause any.
pub(super) fn of(document: &Document, endpoint: &Endpoint) -> BTreeMap<String, String> {
    let mut causes: BTreeMap<String, String> = BTreeMap::new();
    let mut add = |status: &str, cause: &str| {
        let causes = causes.entry(status.to_owned()).or_default();
        if !causes.is_empty() {
            causes.push_str("; ");
        }
        causes.push_str(cause);
    };
    add("400", "bad_request: unreadable JSON, header or id");
    if document.edge.auth.is_some() {
        add(
            "401",
            "unauthorized: a wrong or expired token, a wrong password",
        );
    }
    if endpoint.socket.is_some() {
        add("426", "bad_request: not a WebSocket handshake");
    } else {
        add("413", "bad_request: the body is too large");
    }
    if endpoint.request != RequestShape::default() {
        add("422", "bad_request: a missing or wrong field");
    }
    if document.edge.rate_limit.is_some() {
        add("429", "rate_limited: too many requests in a short time");
    }
    add(
        "502",
        "crashed: the instance crashed with the request in it",
    );
    add(
        "503",
        "queue_full, queue_timeout, unavailable: a full queue, a timeout in it, or no instance",
    );
    add("504", "timeout: the deadline was exceeded");
    add("507", "disk_full: no space for a write");
    in_flow(&endpoint.flow, &mut add);
    if document
        .components
        .values()
        .any(|component| component.faults.is_some())
    {
        add("default", "a fault that was injected");
    }
    causes
}

/// Adds the causes of steps, each once.
fn in_flow(flow: &Flow, add: &mut impl FnMut(&str, &str)) {
    let mut found = BTreeSet::new();
    look(flow, &mut found);
    for (status, cause) in found {
        add(&status, &cause);
    }
}

fn look(flow: &Flow, found: &mut BTreeSet<(String, String)>) {
    let mut note = |status: &str, cause: String| {
        found.insert((status.to_owned(), cause));
    };
    for step in flow {
        match step {
            Step::State(state) if state.require.is_some() => {
                note("404", "not_found: no such entry".to_owned());
            }
            Step::State(state) if state.advance.is_some() => {
                note("409", "conflict: the entry is in another state".to_owned());
            }
            Step::Using(_) => {
                note(
                    "500",
                    "pool_exhausted: no connection was free in time".to_owned(),
                );
            }
            Step::Fail(fail) => {
                note(
                    &fail.status.to_string(),
                    format!("{}: the flow ends here", fail.error_type),
                );
            }
            _ => {}
        }
    }
    for inner in flow.iter().flat_map(Step::inner) {
        look(inner, found);
    }
}
