//! Log lines that scripts and the driver cause. How they look is the binary's affair.

use std::fmt;
use std::sync::Arc;

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For the driver's developers.
    Debug,
    /// Normal.
    Info,
    /// Something is not as it should be.
    Warn,
    /// Something failed.
    Error,
}

/// One line.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// How important it is.
    pub level: Level,
    /// What happened.
    pub message: &'a str,
    /// Further facts, in order; console output carries `source=console`.
    pub fields: &'a [(&'a str, &'a str)],
}

/// Takes log lines from any thread.
#[derive(Clone)]
pub struct Logger(Arc<dyn Fn(&Line<'_>) + Send + Sync>);

impl Logger {
    /// A logger that hands lines to `write`.
    pub fn new(write: impl Fn(&Line<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// A logger that forgets.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Logs a line.
    pub fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        (self.0)(&Line {
            level,
            message,
            fields,
        });
    }

    /// Logs a line without fields.
    pub fn warn(&self, message: &str) {
        self.log(Level::Warn, message, &[]);
    }

    /// Logs a line without fields.
    pub fn error(&self, message: &str) {
        self.log(Level::Error, message, &[]);
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logger")
    }
}
