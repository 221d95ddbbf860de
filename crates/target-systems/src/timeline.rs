//! Planned changes: the parts of a document that they may change, and the resulting plans.

use std::sync::Arc;
use std::time::Duration;

use live_config::{ConfigError, join, merge};
use serde_json::{Value, json};

use crate::compile;
use crate::document::{Change, Document, ResponseSpec};
use crate::parts;
use crate::plan::Planned;
use crate::running;
use crate::system::{CHOICES, checked, patch_errors, with_toggles};

/// The errors of a document's planned changes.
pub(crate) fn errors(written: &Value, document: &Document) -> Vec<ConfigError> {
    let changes = document.timeline.iter().enumerate();
    changes
        .filter(|(_, change)| change.set.is_object())
        .flat_map(|(index, change)| {
            let before = at(written, &earlier(document, index));
            let path = format!("timeline[{index}].set");
            let mut errors: Vec<ConfigError> = parts::unknown(&before, &change.set)
                .into_iter()
                .map(|part| ConfigError::new(join(&path, &part.path), part.message))
                .collect();
            // Errors that the document has without the change are reported there.
            let known = checked(before.clone()).errors;
            let others = patch_errors(&before, &change.set, &known, &path);
            let others = others.into_iter().filter(|error| {
                let told = |part: &ConfigError| error.path.starts_with(&part.path);
                !errors.iter().any(told)
            });
            let others: Vec<ConfigError> = others.collect();
            errors.extend(others);
            if errors.is_empty() {
                errors.extend(
                    reshapes(&before, &change.set).map(|text| ConfigError::new(path, text)),
                );
            }
            errors
        })
        .collect()
}

/// Planned changes without effect at their time. The document and its changes have no errors.
pub(crate) fn idle(written: &Value, document: &Document) -> Vec<ConfigError> {
    let changes = document.timeline.iter().enumerate();
    changes
        .filter_map(|(index, change)| {
            let before = at(written, &earlier(document, index));
            let mut patched = before.clone();
            merge(&mut patched, &change.set, &CHOICES);
            let (before, after) = (checked(before).document?, checked(patched).document?);
            if before == after {
                let text = "changes nothing: the document already has these values at that time";
                return Some(ConfigError::new(format!("timeline[{index}].set"), text));
            }
            (obeyed(&before) == obeyed(&after)).then(|| {
                let text = "changes nothing: while the system runs, a change is one of hosts, components, pools, \
                            stores, toggles, the edge or the flow of an endpoint";
                ConfigError::new(format!("timeline[{index}].set"), text)
            })
        })
        .collect()
}

/// The plans of a document whose changes have no errors: one for each moment at which a change begins or ends,
/// with all changes that are active then.
///
/// # Errors
/// Changes that cause errors only in combination.
pub(crate) fn planned(
    written: &Value,
    document: &Document,
) -> Result<Vec<Planned>, Vec<ConfigError>> {
    let ends = |change: &Change| change.for_ms.map(|for_ms| change.at_ms + for_ms);
    let changes = document.timeline.iter();
    let mut moments: Vec<f64> = changes
        .flat_map(|change| [Some(change.at_ms), ends(change)])
        .flatten()
        .collect();
    moments.sort_by(f64::total_cmp);
    moments.dedup();
    moments
        .into_iter()
        .map(|at_ms| {
            let holding = document.timeline.iter().filter(|one| holds(one, at_ms));
            let holding: Vec<&Value> = holding.map(|change| &change.set).collect();
            let checked = checked(at(written, &holding));
            match checked.document {
                Some(document) if checked.errors.is_empty() => Ok(Planned {
                    at: Duration::from_secs_f64(at_ms / 1_000.0),
                    plan: Arc::new(compile::plan(&document)),
                }),
                _ => Err(together(at_ms, checked.errors)),
            }
        })
        .collect()
}

fn together(at_ms: f64, errors: Vec<ConfigError>) -> Vec<ConfigError> {
    let told = |error: ConfigError| {
        let text = format!("the changes in force at {at_ms} ms contradict each other: {error}");
        ConfigError::new("timeline", text)
    };
    errors.into_iter().map(told).collect()
}

fn holds(change: &Change, at_ms: f64) -> bool {
    let end = change.for_ms.map_or(f64::INFINITY, |ms| change.at_ms + ms);
    change.at_ms <= at_ms && at_ms < end
}

/// The changes that are active when a change begins, without itself.
fn earlier(document: &Document, index: usize) -> Vec<&Value> {
    let begin = document.timeline[index].at_ms;
    let others = document.timeline.iter().enumerate();
    others
        .filter(|(place, other)| {
            let is_before = other.at_ms < begin || *place < index;
            *place != index && is_before && other.set.is_object() && holds(other, begin)
        })
        .map(|(_, other)| &other.set)
        .collect()
}

/// The document with changes, after switching their toggles.
fn at(written: &Value, changes: &[&Value]) -> Value {
    let mut switched = written.clone();
    for toggles in changes.iter().filter_map(|change| change.get("toggles")) {
        merge(&mut switched, &json!({ "toggles": toggles }), &CHOICES);
    }
    let mut effective = with_toggles(&switched);
    for change in changes {
        merge(&mut effective, change, &CHOICES);
    }
    effective
}

/// The change of a part that a running system does not allow to change.
fn reshapes(before: &Value, set: &Value) -> Option<String> {
    let mut patched = before.clone();
    merge(&mut patched, set, &CHOICES);
    let (before, after) = (checked(before.clone()), checked(patched));
    // Names of a document with errors may be undefined; the errors are reported elsewhere.
    if !before.errors.is_empty() || !after.errors.is_empty() {
        return None;
    }
    let (before, after) = (before.document?, after.document?);
    let (plan, next) = (compile::plan(&before), compile::plan(&after));
    let of = |document, plan| running::Compiled { document, plan };
    let kept = running::kept(of(&before, &plan), of(&after, &next));
    let mut found: Vec<String> = kept.iter().map(ToString::to_string).collect();
    if before.endpoints.keys().ne(after.endpoints.keys()) {
        found.push("endpoints: would differ".to_owned());
    }
    (!found.is_empty()).then(|| {
        let found = found.join("; ");
        format!(
            "would add, remove or move a part, which a running system does not support ({found})"
        )
    })
}

/// The parts of a document that affect a running network; the others concern requests, responses and
/// people.
fn obeyed(document: &Document) -> Document {
    let mut kept = document.clone();
    kept.description.clear();
    kept.seed = 0;
    kept.mixes.clear();
    kept.metrics.clear();
    kept.timeline.clear();
    kept.edge.auth = None;
    for component in kept.components.values_mut() {
        component.slo = None;
    }
    for toggle in kept.toggles.values_mut() {
        (toggle.off, toggle.group, toggle.expect) = (None, None, None);
    }
    for endpoint in kept.endpoints.values_mut() {
        endpoint.title.clear();
        endpoint.route.clear();
        endpoint.request = crate::document::RequestShape::default();
        endpoint.examples.clear();
        let status = endpoint.answer.status;
        endpoint.answer = ResponseSpec {
            status,
            ..ResponseSpec::default()
        };
        (endpoint.login, endpoint.socket) = (None, None);
    }
    kept
}
