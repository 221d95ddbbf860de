//! The single interface to jobs, whichever backend stores them.

use std::time::Duration;

use bytes::Bytes;

use super::job::{Job, JobId, JobState, NewJob, Outcome, States, Status};
use super::redis::jobs::{self, Either, SharedJobs};
use super::seal::SealError;
use super::{Embedded, StoreError, embedded};

/// The store of jobs. Clones share it.
#[derive(Debug, Clone)]
pub enum JobStore {
    /// In one file of this machine.
    Embedded(Embedded),
    /// In Redis, with a file of this machine for times without Redis.
    Shared(SharedJobs),
}

/// A job in the hands of a worker. Dropped without an outcome, it becomes pending again: parked, or counted as
/// lost when the worker panics.
#[derive(Debug)]
pub enum Claim {
    Embedded(embedded::Claim),
    Shared(jobs::Claim),
}

impl JobStore {
    /// Adds a job. When this returns, it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Full`], or an error of the disk.
    pub async fn submit(&self, new: NewJob) -> Result<Job, StoreError> {
        match self {
            Self::Embedded(store) => store.submit(new).await,
            Self::Shared(store) => store.submit(new).await,
        }
    }

    /// Waits for a pending job and claims it. Another worker gets it when the lease ends before it
    /// is renewed or finished. Dropping the future loses no job.
    ///
    /// # Errors
    /// An error of the disk.
    pub async fn next(&self, lease: Duration) -> Result<Claim, StoreError> {
        Ok(match self {
            Self::Embedded(store) => Claim::Embedded(store.next(lease).await?),
            Self::Shared(store) => match store.next(lease).await? {
                Either::Local(claim) => Claim::Embedded(claim),
                Either::Shared(claim) => Claim::Shared(claim),
            },
        })
    }

    /// A job of this tenant; `None` stands for every tenant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Away`], or an error of the disk.
    pub async fn status(&self, id: JobId, tenant: Option<&str>) -> Result<Status, StoreError> {
        match self {
            Self::Embedded(store) => store.status(id, tenant).await,
            Self::Shared(store) => store.status(id, tenant).await,
        }
    }

    /// Ends a job of this tenant, running or not; its worker is told at the next renewal.
    ///
    /// # Errors
    /// As [`Self::status`], and [`StoreError::Ended`].
    pub async fn cancel(&self, id: JobId, tenant: Option<&str>) -> Result<Job, StoreError> {
        match self {
            Self::Embedded(store) => store.cancel(id, tenant).await,
            Self::Shared(store) => store.cancel(id, tenant).await,
        }
    }

    /// The newest jobs, at most [`embedded::MAX_LIST`], of a tenant and in a state where those are
    /// given.
    ///
    /// # Errors
    /// An error of the disk.
    pub async fn list(
        &self,
        tenant: Option<&str>,
        state: Option<JobState>,
    ) -> Result<Vec<Job>, StoreError> {
        match self {
            Self::Embedded(store) => store.list(tenant, state).await,
            Self::Shared(store) => store.list(tenant, state).await,
        }
    }

    /// Jobs by state; with Redis those of all replicas, while it is connected.
    pub async fn states(&self) -> States {
        match self {
            Self::Embedded(store) => store.states(),
            Self::Shared(store) => store.states().await,
        }
    }

    /// Ends this process's work on jobs: it takes and returns no more.
    pub fn leave(&self) {
        if let Self::Shared(store) = self {
            store.leave();
        }
    }

    /// The part that is in this machine's file.
    pub fn local(&self) -> &Embedded {
        match self {
            Self::Embedded(store) => store,
            Self::Shared(store) => store.local(),
        }
    }
}

impl Claim {
    pub fn job(&self) -> &Job {
        match self {
            Self::Embedded(claim) => &claim.job,
            Self::Shared(claim) => &claim.job,
        }
    }

    /// The job's payload.
    ///
    /// # Errors
    /// It cannot be opened, and never will be by this process.
    pub fn payload(&self) -> Result<&Bytes, &SealError> {
        let payload = match self {
            Self::Embedded(claim) => &claim.payload,
            Self::Shared(claim) => &claim.payload,
        };
        payload.as_ref()
    }

    /// Keeps the job for another lease and sets its progress, 0 to 1.
    ///
    /// # Errors
    /// [`StoreError::Ended`]: it was cancelled and has to stop; [`StoreError::Fenced`]: another worker has it;
    /// or an error of the disk.
    pub async fn renew(&self, progress: f32) -> Result<(), StoreError> {
        match self {
            Self::Embedded(claim) => claim.renew(progress).await,
            Self::Shared(claim) => claim.renew(progress).await,
        }
    }

    /// Ends the job, once.
    ///
    /// # Errors
    /// [`StoreError::Ended`], [`StoreError::Fenced`]: this outcome does not count; or an error of the disk.
    pub async fn finish(self, outcome: Outcome) -> Result<Job, StoreError> {
        match self {
            Self::Embedded(claim) => claim.finish(outcome).await,
            Self::Shared(claim) => claim.finish(outcome).await,
        }
    }
}
