//! A system: a document, its toggles and planned changes applied, and the plan they compile to.

use std::sync::Arc;
use std::time::Duration;

use live_config::{ConfigError, Invalid, join, merge, read};
use serde_json::Value;

use crate::compile;
use crate::document::{self, Document};
use crate::plan::{Plan, Planned};

/// Fields of a document that hold a choice: a patch that names another variant replaces it whole.
pub const CHOICES: [&str; 17] = [
    "service_ms",
    "cpu_ms",
    "disk_ops",
    "disk_kb",
    "network_kb",
    "allocate_kb",
    "latency",
    "service",
    "overflow",
    "popularity",
    "in_flight",
    "by",
    "tail",
    "at",
    "kind",
    "curve",
    "host",
];

/// A document that has no errors, and what it compiles to.
#[derive(Debug, Clone)]
pub struct System {
    /// As it was written, toggles in their present state; what patches apply to.
    pub value: Value,
    /// With the patches of the toggles that are off.
    pub document: Document,
    pub plan: Arc<Plan>,
}

impl System {
    /// Reads a document in YAML or JSON.
    ///
    /// # Errors
    /// Every error, each with its path and a hint.
    pub fn read(text: &str) -> Result<Self, Invalid> {
        let value = read::yaml(text).map_err(|error| Invalid::one("", error.to_string()))?;
        Self::new(value)
    }

    /// # Errors
    /// As [`System::read`].
    pub fn new(value: Value) -> Result<Self, Invalid> {
        let written = checked(value.clone());
        Invalid::unless_empty(toggle_errors(&value, &written))?;
        let effective = with_toggles(&value);
        let Checked {
            document: Some(document),
            errors,
        } = checked(effective.clone())
        else {
            return Err(Invalid::one("", "the toggles together leave no document"));
        };
        Invalid::unless_empty(errors)?;
        let mut plan = compile::plan(&document);
        plan.timeline = timeline(&effective, &document)?;
        Ok(Self {
            value,
            document,
            plan: Arc::new(plan),
        })
    }

    /// The system with a merge patch of its document.
    ///
    /// # Errors
    /// What the patch makes wrong; nothing has changed then.
    pub fn patched(&self, patch: &Value) -> Result<Self, Invalid> {
        if !patch.is_object() {
            return Err(Invalid::one("", "a patch is a JSON object"));
        }
        let mut value = self.value.clone();
        merge(&mut value, patch, &CHOICES);
        Self::new(value)
    }

    /// What every request of an endpoint has to look like, and what of it the flow reads.
    pub fn expected(&self, endpoint: &str) -> Option<crate::request::Expected> {
        let endpoint = self.document.endpoints.get(endpoint)?;
        Some(crate::request::Expected::of(&self.document, endpoint))
    }
}

/// The JSON schema of documents, for editors.
pub fn schema() -> Value {
    schemars::schema_for!(Document).to_value()
}

/// A document read as far as possible, and everything that is wrong with it.
struct Checked {
    document: Option<Document>,
    errors: Vec<ConfigError>,
}

fn checked(value: Value) -> Checked {
    let reading = read::repair::<Document>(value);
    let mut errors = reading.errors;
    if let Some(document) = &reading.value {
        for error in document::check(document) {
            // What was repaired is told once.
            let told = errors.iter().any(|known| {
                known.path == error.path || error.path.starts_with(&format!("{}.", known.path))
            });
            if !told {
                errors.push(error);
            }
        }
    }
    Checked {
        document: reading.value,
        errors,
    }
}

/// Errors of the document as written, and those that each toggle's patch brings about alone.
fn toggle_errors(value: &Value, written: &Checked) -> Vec<ConfigError> {
    let mut errors = written.errors.clone();
    let toggles = written.document.iter().flat_map(|one| &one.toggles);
    for (name, toggle) in toggles {
        let Some(off) = toggle.off.as_ref().filter(|off| off.is_object()) else {
            continue;
        };
        let path = format!("toggles.{name}.off");
        errors.extend(patch_errors(value, off, &written.errors, &path));
    }
    errors
}

/// Errors that a patch brings about, placed below its own path.
fn patch_errors(
    value: &Value,
    patch: &Value,
    known: &[ConfigError],
    path: &str,
) -> Vec<ConfigError> {
    let mut patched = value.clone();
    merge(&mut patched, patch, &CHOICES);
    checked(patched)
        .errors
        .into_iter()
        .filter(|error| !known.iter().any(|one| one.path == error.path))
        .map(|error| ConfigError::new(join(path, &error.path), error.message))
        .collect()
}

/// The document with the patches of the toggles that are off, in their order.
fn with_toggles(value: &Value) -> Value {
    let mut effective = value.clone();
    let toggles = value.get("toggles").and_then(Value::as_object);
    for toggle in toggles.into_iter().flat_map(serde_json::Map::values) {
        let is_off = toggle.get("on") == Some(&Value::Bool(false));
        if let (true, Some(off @ Value::Object(_))) = (is_off, toggle.get("off")) {
            merge(&mut effective, off, &CHOICES);
        }
    }
    effective
}

/// Planned changes as plans: at each moment at which one begins or ends, everything that holds then.
fn timeline(effective: &Value, document: &Document) -> Result<Vec<Planned>, Invalid> {
    let mut moments: Vec<f64> = Vec::new();
    let mut errors = Vec::new();
    for (index, change) in document.timeline.iter().enumerate() {
        moments.push(change.at_ms);
        moments.extend(change.for_ms.map(|for_ms| change.at_ms + for_ms));
        let path = format!("timeline[{index}].set");
        errors.extend(patch_errors(effective, &change.set, &[], &path));
    }
    Invalid::unless_empty(errors)?;
    moments.sort_by(f64::total_cmp);
    moments.dedup();
    moments
        .into_iter()
        .map(|at_ms| {
            let mut value = effective.clone();
            for change in &document.timeline {
                let ends = change.for_ms.map_or(f64::INFINITY, |ms| change.at_ms + ms);
                if change.at_ms <= at_ms && at_ms < ends {
                    merge(&mut value, &change.set, &CHOICES);
                }
            }
            let Checked { document, errors } = checked(value);
            Invalid::unless_empty(errors)?;
            let document = document
                .ok_or_else(|| Invalid::one("timeline", "its changes leave no document"))?;
            Ok(Planned {
                at: Duration::from_secs_f64(at_ms / 1_000.0),
                plan: Arc::new(compile::plan(&document)),
            })
        })
        .collect()
}
