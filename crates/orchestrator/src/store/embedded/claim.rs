//! A job of the embedded store in the hands of a worker.

use std::fmt;
use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;

use super::{Embedded, Inner};
use crate::store::StoreError;
use crate::store::job::{Job, Outcome, Return};
use crate::store::seal::{Place, SealError};
use crate::store::writer::{Change, Settle};

/// A job in the hands of a worker. Dropped without an outcome it goes back to the others: parked,
/// or counted as lost when the worker panics.
pub struct Claim {
    pub job: Job,
    /// What running it needs, unless it cannot be opened.
    pub payload: Result<Bytes, SealError>,
    pub(super) lease: Duration,
    pub(super) store: Weak<Inner>,
    pub(super) held: bool,
}

impl Claim {
    /// Keeps the job for another lease and says how far it is, 0 to 1.
    ///
    /// # Errors
    /// [`StoreError::Ended`]: it was cancelled, stop; [`StoreError::Fenced`]: another worker has
    /// it; or the disk's.
    pub async fn renew(&self, progress: f32) -> Result<(), StoreError> {
        let (id, epoch, lease) = (self.job.id, self.job.epoch, self.lease);
        let store = self.store()?;
        let renewed = store
            .write(move |batch| batch.renew(id, epoch, lease, progress))
            .await?;
        renewed.map(|_| ())
    }

    /// Ends the job. When this returns the outcome is on disk, and it is the only one.
    ///
    /// # Errors
    /// [`StoreError::Ended`], [`StoreError::Fenced`]: this outcome does not count; or the disk's.
    pub async fn finish(mut self, outcome: Outcome) -> Result<Job, StoreError> {
        let (id, epoch) = (self.job.id, self.job.epoch);
        let store = self.store()?;
        let sealed = store.inner.seal.seal(Place::Outcome(id), outcome.body());
        let job = store
            .write(move |batch| batch.finish(id, epoch, (&outcome, &sealed)))
            .await??;
        self.held = false;
        Ok(job)
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
        let give_back: Change = Box::new(move |batch| {
            // Refused when it has ended or belongs to another by now: nothing to give back.
            let _ = batch.give_back(id, epoch, why)?;
            Ok(Box::new(|_| {}) as Settle)
        });
        // Without a place: there are never more of these than claims. After the store closed the
        // next start finds the job.
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
