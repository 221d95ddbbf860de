//! A system: a document with its toggles and planned changes applied, and the compiled plan.

use std::sync::Arc;

use live_config::{ConfigError, Invalid, join, merge, read};
use serde_json::Value;

use crate::compile;
use crate::document::{self, Document};
use crate::parts;
use crate::plan::Plan;
use crate::running::Compiled;
use crate::timeline;

/// Fields of a document that hold a choice: a patch with another variant replaces the whole field.
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

/// A valid document and its compiled plan.
#[derive(Debug, Clone)]
pub struct System {
    /// The document as written, with the current state of the toggles; patches apply to it.
    pub value: Value,
    /// The document with the patches of the toggles that are off.
    pub document: Document,
    pub plan: Arc<Plan>,
}

impl System {
    /// Reads a document in YAML or JSON.
    ///
    /// # Errors
    /// All errors, each with its path and a hint, including planned changes and toggles without effect.
    pub fn read(text: &str) -> Result<Self, Invalid> {
        let value = read::yaml(text).map_err(|error| Invalid::one("", error.to_string()))?;
        Self::of_file(value)
    }

    /// # Errors
    /// As [`System::read`].
    pub(crate) fn of_file(value: Value) -> Result<Self, Invalid> {
        Self::build(value, true)
    }

    /// Creates a system whose planned changes may have no effect, which is allowed in a running one.
    ///
    /// # Errors
    /// All errors, each with its path and a hint.
    pub fn new(value: Value) -> Result<Self, Invalid> {
        Self::build(value, false)
    }

    fn build(value: Value, is_file: bool) -> Result<Self, Invalid> {
        let written = checked(value.clone());
        let mut errors = toggle_errors(&value, &written);
        let effective = checked(with_toggles(&value));
        if errors.is_empty() {
            errors.extend(effective.errors);
        }
        let Some(document) = effective.document else {
            Invalid::unless_empty(errors)?;
            return Err(Invalid::one(
                "",
                "the toggles together remove the whole document",
            ));
        };
        let own = errors.clone();
        errors.extend(timeline::errors(&value, &document));
        if is_file {
            errors.extend(idle_toggles(&value, &document, &own));
        }
        Invalid::unless_empty(errors)?;
        let mut plan = compile::plan(&document);
        plan.timeline =
            timeline::planned(&value, &document).map_err(|errors| Invalid { errors })?;
        if is_file {
            Invalid::unless_empty(timeline::idle(&value, &document))?;
        }
        Ok(Self {
            value,
            document,
            plan: Arc::new(plan),
        })
    }

    /// The system after a merge patch of its document.
    ///
    /// # Errors
    /// The errors that the patch causes; nothing has changed then.
    pub fn patched(&self, patch: &Value) -> Result<Self, Invalid> {
        if !patch.is_object() {
            return Err(Invalid::one("", "a patch is a JSON object"));
        }
        let mut value = self.value.clone();
        merge(&mut value, patch, &CHOICES);
        Self::new(value)
    }

    pub(crate) fn compiled(&self) -> Compiled<'_> {
        Compiled {
            document: &self.document,
            plan: &self.plan,
        }
    }

    /// The expectations of an endpoint's requests, and the values that its flow reads.
    pub fn expected(&self, endpoint: &str) -> Option<crate::request::Expected> {
        let endpoint = self.document.endpoints.get(endpoint)?;
        Some(crate::request::Expected::of(&self.document, endpoint))
    }
}

/// The JSON schema of documents, for editors.
pub fn schema() -> Value {
    schemars::schema_for!(Document).to_value()
}

/// A document, parsed as far as possible, and all of its errors.
pub(crate) struct Checked {
    pub document: Option<Document>,
    pub errors: Vec<ConfigError>,
}

pub(crate) fn checked(value: Value) -> Checked {
    let reading = read::repair::<Document>(value);
    let mut errors = reading.errors;
    if let Some(document) = &reading.value {
        for error in document::check(document) {
            // A repaired value is reported only once.
            if !errors
                .iter()
                .any(|known| is_within(&error.path, &known.path))
            {
                errors.push(error);
            }
        }
    }
    Checked {
        document: reading.value,
        errors,
    }
}

/// Whether a path equals another one, or is below it.
fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Errors of the document as written, and those caused by the patch of each toggle alone.
fn toggle_errors(value: &Value, written: &Checked) -> Vec<ConfigError> {
    let mut errors = written.errors.clone();
    let toggles = written.document.iter().flat_map(|one| &one.toggles);
    for (name, toggle) in toggles {
        let Some(off) = toggle.off.as_ref().filter(|off| off.is_object()) else {
            continue;
        };
        let path = format!("toggles.{name}.off");
        errors.extend(patch_errors(value, off, &written.errors, &path));
        let misspelt = parts::unknown(value, off).into_iter();
        let misspelt = misspelt.filter(|part| part.is_near);
        errors.extend(misspelt.map(|part| ConfigError::new(join(&path, &part.path), part.message)));
    }
    errors
}

/// Toggles whose patch has no effect. `known` are the document's errors.
fn idle_toggles(value: &Value, document: &Document, known: &[ConfigError]) -> Vec<ConfigError> {
    let Some(written) = checked(value.clone()).document else {
        return Vec::new();
    };
    let toggles = document.toggles.iter();
    toggles
        .filter_map(|(name, toggle)| {
            let path = format!("toggles.{name}.off");
            let off = toggle.off.as_ref().filter(|off| off.is_object())?;
            let mut patched = value.clone();
            merge(&mut patched, off, &CHOICES);
            let is_idle = !known.iter().any(|error| is_within(&error.path, &path))
                && checked(patched).document.as_ref() == Some(&written);
            let text = "changes nothing: the document already has these values";
            is_idle.then(|| ConfigError::new(path, text))
        })
        .collect()
}

/// Errors that a patch causes, placed below its own path.
pub(crate) fn patch_errors(
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
pub(crate) fn with_toggles(value: &Value) -> Value {
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
