//! Why a file that a script opens cannot be read.

use std::io;
use std::path::Path;

use script_engine::throw::{Throw, plain};

/// The reason, with k6's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("stat {0}: no such file or directory")]
    Missing(String),
    #[error("{0}")]
    Other(String),
}

impl OpenError {
    /// The error of the system when it read the file at `full`.
    pub(crate) fn new(full: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing(full.display().to_string()),
            io::ErrorKind::IsADirectory => Self::Other(format!(
                "open() can't be used with directories, path: {full:?}"
            )),
            _ => Self::Other(format!("{}: {error}", full.display())),
        }
    }
}

impl From<OpenError> for Throw {
    fn from(error: OpenError) -> Self {
        plain(error.to_string())
    }
}
