//! The configuration of one mock detector.

use detector_api::dialect::Dialect;
use fault_profile::{Failure, Listener, Profile};
use live_config::strict;

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
    /// A detector with this name and profile that uses the native dialect over plain HTTP/1.1.
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

/// A failure by its bare name (`reset`) or in full (`{"reset": {"at": "after_head"}}`); `none` means no
/// failure.
///
/// # Errors
/// An unknown kind, or invalid settings.
pub fn failure_of(text: &str) -> Result<Option<Failure>, UnknownFailure> {
    if text == "none" {
        return Ok(None);
    }
    let value = match strict::read(text.as_bytes()) {
        Ok(value @ serde_json::Value::Object(_)) => value,
        Err(twice @ strict::Fault::Twice(_)) => {
            return Err(UnknownFailure {
                text: text.to_owned(),
                source: serde::de::Error::custom(twice),
            });
        }
        _ => serde_json::json!({ text: {} }),
    };
    let failure: Failure = serde_json::from_value(value).map_err(|source| UnknownFailure {
        text: text.to_owned(),
        source,
    })?;
    Ok(Some(failure))
}

/// A text that does not name a failure.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a kind of failure; use none, {}", Failure::NAMES.join(", "))]
pub struct UnknownFailure {
    text: String,
    #[source]
    source: serde_json::Error,
}
