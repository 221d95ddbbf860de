//! Errors of a store.

use std::io;
use std::sync::Arc;

use crate::job::JobState;
use crate::seal::SealError;

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
