//! The settings of the embedded store.

use std::path::PathBuf;
use std::time::Duration;

use crate::seal::Key;

/// The embedded store's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The database file; its folder must exist. One process at a time may have it open.
    pub path: PathBuf,
    /// The keys of content: the first one seals, all open. The key in the file beside the store opens, too, and
    /// seals if none is given.
    pub keys: Vec<Key>,
    pub limits: Limits,
    /// The retention of ended jobs.
    pub keep: Duration,
    /// The number of lost workers after which a job is given up.
    pub max_lost: u32,
    /// The pause between attempts to reopen the file after a failed write: from the first, doubling, to the
    /// second.
    pub reopen_pause: (Duration, Duration),
}

/// Limits of what clients can make grow. Beyond a limit, new jobs are refused; none is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Jobs that are pending or running.
    pub open_jobs: usize,
    /// All jobs, ended ones included.
    pub jobs: usize,
    /// Payloads and outcomes together.
    pub bytes: u64,
    /// Answers stored for idempotency keys; beyond it the oldest are dropped and counted.
    pub answers: usize,
    /// Bytes of those answers.
    pub answer_bytes: u64,
}

impl Config {
    /// The defaults, with the database at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            keys: Vec::new(),
            limits: Limits {
                open_jobs: 10_000,
                jobs: 100_000,
                bytes: 1 << 30,
                answers: 100_000,
                answer_bytes: 1 << 30,
            },
            keep: Duration::from_secs(24 * 3_600),
            max_lost: 5,
            reopen_pause: (Duration::from_millis(100), Duration::from_secs(1)),
        }
    }
}
