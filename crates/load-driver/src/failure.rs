//! The reason why a run could not begin, with its exit code.

use load_engine::Exit;

/// An error with its exit code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// Options or thresholds that cannot be used.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Exit::InvalidConfig, message)
    }

    /// An error without an exit code of its own.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(Exit::Other, message)
    }
}
