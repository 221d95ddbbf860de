//! Where jobs live until a day after they ended. Accepted means durable: what [`JobStore::submit`]
//! answered survives `kill -9` and a power cut, is run to its end, and has exactly one outcome.
//!
//! [`Embedded`] keeps everything in one file of this machine; [`redis`] shares it between replicas.

mod disk;
pub mod embedded;
pub mod idempotency;
mod index;
pub mod job;
mod job_store;
mod key_file;
#[cfg(test)]
mod power_cut;
pub mod redis;
pub mod seal;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use embedded::Embedded;
pub use job::{Job, JobId, JobState, NewJob, Outcome, Status};
pub use job_store::{Claim, JobStore};
pub use seal::{Key, SealError};

/// The embedded store's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The database file; its folder must exist. One process at a time may have it open.
    pub path: PathBuf,
    /// What seals content: the first one seals, all open. The key in the file beside the store
    /// opens, too, and seals where none is given.
    pub keys: Vec<Key>,
    pub limits: Limits,
    /// How long an ended job can be asked for.
    pub keep: Duration,
    /// A job is given up once so many workers were lost over it.
    pub max_lost: u32,
}

/// What clients can make grow. Past a limit a new job is refused; none is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Jobs that are pending or running.
    pub open_jobs: usize,
    /// All jobs, ended ones included.
    pub jobs: usize,
    /// Payloads and outcomes together.
    pub bytes: u64,
    /// Answers kept for idempotency keys; past it the oldest are dropped and counted.
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
        }
    }
}

/// Why the store did not do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("there is no such job")]
    NotFound,
    #[error("the job has already ended: {0}")]
    Ended(JobState),
    #[error("the job belongs to another worker now")]
    Fenced,
    #[error("the job store is full: its limit is {limit} {what}; try again later")]
    Full { what: &'static str, limit: u64 },
    #[error("the job store cannot write or read its file")]
    Disk(#[source] Arc<redb::Error>),
    #[error("what the job store keeps cannot be opened")]
    Sealed(#[from] SealError),
    #[error("the key file beside the job store cannot be used")]
    KeyFile(#[source] Arc<io::Error>),
    #[error("the job may be in Redis, which cannot be reached; try again later")]
    Away,
    #[error("the job store is closed")]
    Closed,
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::KeyFile(Arc::new(error))
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        Self::Disk(Arc::new(error))
    }
}
