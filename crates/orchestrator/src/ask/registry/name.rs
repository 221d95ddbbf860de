//! Names of detectors: as written, and as registered. They are separate types, so that the compiler rejects a
//! comparison of one with the other, or of two spellings.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name as a request, a policy or an operator wrote it: a detector's own name, an alias, or unknown. Only
/// [`Registry::resolve`](super::Registry::resolve) can resolve it, and two different spellings may mean the
/// same detector.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpelledName(Arc<str>);

impl SpelledName {
    /// The text as it was written, for answers that repeat it and for the registry.
    pub fn text(&self) -> &Arc<str> {
        &self.0
    }
}

impl From<String> for SpelledName {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for SpelledName {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// A resolved name: the registered name of a detector, or an unknown spelling unchanged. Only the registry
/// creates one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct DetectorName(Arc<str>);

impl DetectorName {
    pub(super) fn of(name: &Arc<str>) -> Self {
        Self(name.clone())
    }

    /// For tests that only need a name.
    #[cfg(test)]
    pub fn test(name: &str) -> Self {
        Self(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for wire formats.
    pub fn text(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Display for DetectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
