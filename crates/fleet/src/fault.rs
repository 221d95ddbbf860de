//! What is wrong with a configuration: every fault with its place and a hint.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, as in `detectors.failing.mock.latency`; empty for the document as a whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
    /// Where the value came from when it was not the file, such as an environment variable.
    pub source: Option<String>,
}

impl Fault {
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
            source: None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, " (from {source})"),
            None => Ok(()),
        }
    }
}

/// Gathers faults below a path.
#[derive(Debug, Default)]
pub struct Faults {
    found: Vec<Fault>,
}

impl Faults {
    pub fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.found.push(Fault::new(path, message));
    }

    /// Takes over faults that a part reported relative to itself, placing them below `path`.
    pub fn add_below(&mut self, path: &str, part: Vec<(String, String)>) {
        for (inner, message) in part {
            self.add(join(path, &inner), message);
        }
    }

    pub fn into_vec(self) -> Vec<Fault> {
        self.found
    }
}

/// Joins two path pieces with a dot; an empty piece adds nothing.
pub(crate) fn join(path: &str, inner: &str) -> String {
    match (path.is_empty(), inner.is_empty()) {
        (true, _) => inner.to_owned(),
        (_, true) => path.to_owned(),
        _ if inner.starts_with('[') => format!("{path}{inner}"),
        _ => format!("{path}.{inner}"),
    }
}
