//! What one mock detector is started with.

use detector_api::dialect::Dialect;
use fault_profile::{Failure, Listener, Profile};

/// One mock detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Its name, which is part of every decision's hash.
    pub name: String,
    pub profile: Profile,
    pub dialect: Dialect,
    pub listener: Listener,
}

impl Config {
    /// A detector of this name and profile that speaks the native dialect over plain HTTP/1.1.
    pub fn new(name: impl Into<String>, profile: Profile) -> Self {
        let (dialect, listener) = (Dialect::default(), Listener::default());
        Self {
            name: name.into(),
            profile,
            dialect,
            listener,
        }
    }

    /// The mock of a detector in a fleet file.
    pub fn of(name: &str, detector: &fleet::Detector) -> Self {
        Self {
            name: name.to_owned(),
            profile: detector.mock.clone(),
            dialect: detector.dialect,
            listener: detector.listener.clone(),
        }
    }
}

/// A failure by its bare name (`reset`) or in full (`{"reset": {"at": "after_head"}}`); `none` is
/// none.
///
/// # Errors
/// No such kind, or settings that it does not take.
pub fn failure_of(text: &str) -> Result<Option<Failure>, UnknownFailure> {
    if text == "none" {
        return Ok(None);
    }
    let value = match serde_json::from_str(text) {
        Ok(value @ serde_json::Value::Object(_)) => value,
        _ => serde_json::json!({ text: {} }),
    };
    let failure: Failure = serde_json::from_value(value).map_err(|source| UnknownFailure {
        text: text.to_owned(),
        source,
    })?;
    Ok(Some(failure))
}

/// A text that names no failure.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no kind of failure; known are none, {}", Failure::NAMES.join(", "))]
pub struct UnknownFailure {
    text: String,
    #[source]
    source: serde_json::Error,
}
