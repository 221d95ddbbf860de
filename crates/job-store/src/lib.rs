//! The store of jobs, which keeps them until a day after their end. Accepted means durable: a job from
//! [`JobStore::submit`] survives `kill -9` and a power cut, is run to its end, and has exactly one outcome.
//!
//! [`Embedded`] keeps everything in one file of this machine; [`redis`] shares it between replicas.

mod disk;
pub mod embedded;
#[cfg(test)]
mod failing_disk;
pub mod idempotency;
mod index;
pub mod job;
mod job_store;
mod key_file;
pub mod medium;
#[cfg(test)]
mod power_cut;
pub mod rate_limit;
mod record;
pub mod redis;
pub mod seal;
mod shared;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
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

/// Errors of the store.
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
    #[error("the job store cannot write or read its file; try again later")]
    Disk(#[source] Arc<redb::Error>),
    #[error("an entry of the job store cannot be decrypted")]
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
