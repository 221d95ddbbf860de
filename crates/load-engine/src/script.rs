//! The interrupt of script code, and the errors of code outside iterations.

use tokio_util::sync::CancellationToken;

/// Interrupts a VU: waiting VUs select on [`CancellationToken::cancelled`], busy ones check
/// [`CancellationToken::is_cancelled`] regularly. It can be set from any thread.
pub type Interrupt = CancellationToken;

/// The error of init code, `setup`, `teardown` or `handleSummary`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// An exception, with its stack as k6 prints it.
    #[error("{0}")]
    Exception(String),
    /// An unhandled rejection of a promise, with its stack.
    #[error("{0}")]
    Rejected(String),
    /// `exec.test.abort`, with its message.
    #[error("{0}")]
    Aborted(String),
    /// A script that cannot be run as a test, without an exception.
    #[error("{0}")]
    Unusable(String),
    /// The interrupt was set.
    #[error("interrupted")]
    Interrupted,
}

/// One output of `handleSummary`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryFile {
    /// `stdout`, `stderr` or a path.
    pub destination: String,
    /// The content.
    pub content: Vec<u8>,
}
