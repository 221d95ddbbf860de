//! Errors of drills.

use std::error::Error;

use load_engine::system_errors::without_numbers;
use simulated_server::AdminError;

/// The reason why a drill was not completed.
#[derive(Debug, thiserror::Error)]
pub enum ConductError {
    #[error("unknown mock detector {name}; known: {known}")]
    UnknownDetector { name: String, known: String },
    #[error(
        "the mock detector {detector} does not answer at {url}: {why}; is `sparring up` running?"
    )]
    Silent {
        detector: String,
        url: String,
        why: String,
    },
    #[error("the profile of {detector} cannot be changed")]
    Inject {
        detector: String,
        source: AdminError,
    },
    #[error(
        "{detector} could not be told that the drill has ended; it reverts the fault on its own \
             within {seconds} s"
    )]
    TakeBack {
        detector: String,
        seconds: u64,
        source: AdminError,
    },
    #[error("the load driver cannot be started")]
    Driver(#[source] std::io::Error),
}

impl ConductError {
    /// The error and its causes, in one line.
    pub(super) fn with_cause(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            line.push_str(&format!(": {error}"));
            cause = error.source();
        }
        without_numbers(&line)
    }
}
