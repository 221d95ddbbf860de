//! A job of the embedded store in the hands of a worker.

use std::fmt;
use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;

use super::{Embedded, Inner};
use crate::StoreError;
use crate::job::{Job, Outcome, Return};
use crate::seal::{Place, SealError};
use crate::writer::{Batch, Change, Settle};

/// A job in the hands of a worker. Dropped without an outcome, it becomes pending again: parked, or counted as
/// lost when the worker panics.
pub struct Claim {
    pub job: Job,
    /// The job's payload, unless it cannot be opened.
    pub payload: Result<Bytes, SealError>,
    lease: Duration,
    store: Weak<Inner>,
    held: bool,
}

impl Claim {
    pub(super) fn new(
        job: Job,
        payload: Result<Bytes, SealError>,
        lease: Duration,
        store: Weak<Inner>,
    ) -> Self {
        if let Some(store) = store.upgrade() {
            store.shared.hold(job.id, job.epoch, lease);
        }
        Self {
            job,
            payload,
            lease,
            store,
            held: true,
        }
    }

    /// Keeps the job for another lease and sets its progress, 0 to 1.
    ///
    /// # Errors
    /// [`StoreError::Ended`]: it was cancelled and has to stop; [`StoreError::Fenced`]: another worker has it;
    /// or the disk's.
    pub async fn renew(&self, progress: f32) -> Result<(), StoreError> {
        let (id, epoch, lease) = (self.job.id, self.job.epoch, self.lease);
        let store = self.store()?;
        let renewed = store
            .write(move |batch| batch.renew(id, epoch, lease, progress))
            .await?;
        renewed.map(|_| ())
    }

    /// Ends the job. When this returns the outcome is on disk, and it is the only one. Waits for a failing
    /// disk, since the work is done and must not be repeated.
    ///
    /// # Errors
    /// [`StoreError::Ended`], [`StoreError::Fenced`]: this outcome does not count.
    pub async fn finish(mut self, outcome: Outcome) -> Result<Job, StoreError> {
        let (id, epoch) = (self.job.id, self.job.epoch);
        let store = self.store()?;
        let sealed = store.inner.seal.seal(Place::Outcome(id), outcome.body());
        let sealed = Bytes::from(sealed);
        loop {
            let (outcome, sealed) = (outcome.clone(), sealed.clone());
            let finish = move |batch: &mut Batch| batch.finish(id, epoch, &outcome, &sealed);
            match store.write(finish).await {
                Err(StoreError::Disk(_)) => store.well().await?,
                finished => {
                    let job = finished??;
                    self.held = false;
                    store.inner.shared.let_go(id, epoch, None);
                    return Ok(job);
                }
            }
        }
    }

    fn store(&self) -> Result<Embedded, StoreError> {
        let inner = self.store.upgrade().ok_or(StoreError::Closed)?;
        Ok(Embedded { inner })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(store) = self.store.upgrade().filter(|_| self.held) else {
            return;
        };
        let why = if std::thread::panicking() {
            Return::Lost
        } else {
            Return::Parked
        };
        let (id, epoch) = (self.job.id, self.job.epoch);
        store.shared.let_go(id, epoch, Some(why));
        let shared = store.shared.clone();
        let give_back: Change = Box::new(move |batch| {
            // Refused when it has ended or belongs to another worker: there is nothing to return.
            let _ = batch.give_back(id, epoch, why)?;
            let settle = move |fate: Result<(), StoreError>| {
                if fate.is_ok() {
                    shared.forget(id, epoch);
                }
            };
            Ok(Box::new(settle) as Settle)
        });
        // Without a queue limit, since there are never more of these than claims. When the disk fails, the job
        // is returned as soon as it works again; after the store closed, the next start finds it.
        let _ = store.queue(give_back, None);
    }
}

impl fmt::Debug for Claim {
    /// Without the payload: it holds content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("job", &self.job)
            .finish_non_exhaustive()
    }
}
