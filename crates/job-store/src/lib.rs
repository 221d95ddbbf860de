//! The store of jobs, which keeps them until a day after their end. Accepted means durable: a job from
//! [`JobStore::submit`] survives `kill -9` and a power cut, is run to its end, and has exactly one outcome.
//!
//! [`Embedded`] keeps everything in one file of this machine; [`redis`] shares it between replicas.

mod config;
mod disk;
pub mod embedded;
mod error;
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

pub use config::{Config, Limits};
pub use embedded::Embedded;
pub use error::StoreError;
pub use job::{Job, JobId, JobState, NewJob, Outcome, Status};
pub use job_store::{Claim, JobStore};
pub use seal::{Key, SealError};
