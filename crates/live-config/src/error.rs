//! Errors of a configuration, each with its place and a hint.

use std::fmt;

/// One error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Its path, such as `detectors.failing.mock.latency`; empty for the document as a whole.
    pub path: String,
    /// The error and its correction.
    pub message: String,
    /// The source of the value if it was not the file, such as an environment variable.
    pub source: Option<String>,
}

impl ConfigError {
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
            source: None,
        }
    }
}

impl fmt::Display for ConfigError {
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

/// Gathers errors below a path.
#[derive(Debug, Default)]
pub struct ConfigErrors {
    found: Vec<ConfigError>,
}

impl ConfigErrors {
    pub fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.found.push(ConfigError::new(path, message));
    }

    /// Adds the errors of a part below `path`. Their paths are relative to the part.
    pub fn add_below(&mut self, path: &str, part: Vec<ConfigError>) {
        self.found.extend(part.into_iter().map(|error| ConfigError {
            path: join(path, &error.path),
            ..error
        }));
    }

    pub fn into_vec(self) -> Vec<ConfigError> {
        self.found
    }
}

/// All errors of an invalid configuration, at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", list(errors))]
pub struct Invalid {
    /// Their paths are relative to the configuration.
    pub errors: Vec<ConfigError>,
}

impl Invalid {
    /// A single error.
    pub fn one(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            errors: vec![ConfigError::new(path, message)],
        }
    }

    /// `Ok` if there are no errors.
    ///
    /// # Errors
    /// The errors.
    pub fn unless_empty(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Self { errors })
        }
    }
}

impl From<Vec<ConfigError>> for Invalid {
    fn from(errors: Vec<ConfigError>) -> Self {
        Self { errors }
    }
}

fn list(errors: &[ConfigError]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("; ")
}

/// Joins two pieces of a path with a dot; an empty piece adds nothing.
pub fn join(path: &str, inner: &str) -> String {
    match (path.is_empty(), inner.is_empty()) {
        (true, _) => inner.to_owned(),
        (_, true) => path.to_owned(),
        _ if inner.starts_with('[') => format!("{path}{inner}"),
        _ => format!("{path}.{inner}"),
    }
}
