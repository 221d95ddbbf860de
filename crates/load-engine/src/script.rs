//! The interrupt of script code, the errors of code outside iterations, and the call of `handleSummary`.

use serde_json::Value;
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

/// A call of `handleSummary`.
#[derive(Debug, Clone)]
pub struct SummaryCall {
    /// Its argument.
    pub data: Value,
    /// Whether the argument is needed as the function leaves it.
    pub reads_back: bool,
    /// Interrupts the call.
    pub interrupt: Interrupt,
}

/// The result of `handleSummary`.
#[derive(Debug, Clone, PartialEq)]
pub struct SummaryReturn {
    /// The returned outputs; `None` when there is no such function or its result is falsy.
    pub files: Result<Option<Vec<SummaryFile>>, ScriptError>,
    /// The argument as the function left it, or the reason why that is no longer JSON; `None` when the function
    /// was not called or the argument is not needed.
    pub data: Option<Result<Value, String>>,
}

impl SummaryReturn {
    /// The result if the function was not called.
    pub fn of_no_call(files: Result<Option<Vec<SummaryFile>>, ScriptError>) -> Self {
        Self { files, data: None }
    }
}
