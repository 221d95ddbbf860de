//! The handle of the embedded store: it sends changes to the writer and reads directly.

mod claim;
mod keys;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use redb::{Database, StorageBackend};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::job::{Job, JobId, JobState, NewJob, States, Status};
use super::medium::Medium;
use super::record::{Hash, Record};
use super::seal::{Place, Seal};
use super::shared::Shared;
use super::writer::{Batch, Change, Command, Settle, Writer};
use super::{Config, StoreError, disk};
pub use claim::Claim;

/// The capacity of the writer's queue; later callers wait to join it.
const QUEUE: usize = 1_024;
/// Maximum number of jobs in one listing.
pub const MAX_LIST: usize = 1_000;

/// Jobs in one file of this machine. Clones share it; the last one to be dropped closes the file.
#[derive(Clone)]
pub struct Embedded {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` once the store closes.
    queue: Mutex<Option<Sender<Command>>>,
    places: Arc<Semaphore>,
    medium: Arc<Medium>,
    shared: Arc<Shared>,
    keep: Duration,
    seal: Seal,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Embedded {
    /// Opens or creates the file, repairs it after a crash and starts the writer. Blocks.
    ///
    /// # Errors
    /// The file cannot be opened, is not a store, was sealed with another key, or another process has it.
    pub fn open(config: Config) -> Result<Self, StoreError> {
        Self::with_medium(Medium::file(&config.path)?, config)
    }

    /// The same on other storage than a file, of which `storage` returns a new handle on each call;
    /// `config.path` is not used.
    ///
    /// # Errors
    /// The storage fails.
    pub fn open_on<S: StorageBackend>(
        storage: impl Fn() -> S + Send + Sync + 'static,
        config: Config,
    ) -> Result<Self, StoreError> {
        Self::with_medium(Medium::on(storage)?, config)
    }

    fn with_medium(medium: Medium, config: Config) -> Result<Self, StoreError> {
        let seal = medium.with(|database| Ok(keys::settle(database, &config)))??;
        let medium = Arc::new(medium);
        let shared = Arc::new(Shared::new());
        let keep = config.keep;
        let writer = Writer::start(Arc::clone(&medium), config, Arc::clone(&shared))?;
        let (queue, commands) = channel();
        let thread = std::thread::Builder::new()
            .name("job-store".to_owned())
            .spawn(move || writer.run(&commands))
            .map_err(redb::Error::from)?;
        let inner = Inner {
            queue: Mutex::new(Some(queue)),
            places: Arc::new(Semaphore::new(QUEUE)),
            medium,
            shared,
            keep,
            seal,
            writer: Mutex::new(Some(thread)),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Adds a job. When this returns, it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Full`], or an error of the disk.
    pub async fn submit(&self, new: NewJob) -> Result<Job, StoreError> {
        let id = JobId::new();
        let sealed = self.inner.seal.seal(Place::Payload(id), &new.payload);
        self.write(move |batch| batch.submit(id, &new, &sealed))
            .await?
    }

    /// The most urgent pending job, if there is one. Another worker gets it when the lease ends
    /// before it is renewed or finished.
    ///
    /// # Errors
    /// An error of the disk.
    pub async fn claim(&self, lease: Duration) -> Result<Option<Claim>, StoreError> {
        let store = Arc::downgrade(&self.inner);
        let seal = self.inner.seal.clone();
        // Wrapped here and not after the reply, so that a reply without a receiver drops the claim.
        let claim = move |batch: &mut Batch| {
            let claimed = batch.claim(lease)?;
            Ok(claimed.map(|(job, payload)| {
                let payload = seal.open(Place::Payload(job.id), &payload);
                Claim::new(job, payload, lease, store)
            }))
        };
        self.write(claim).await
    }

    /// Waits for a pending job, and for a disk that works, and claims it.
    ///
    /// # Errors
    /// An error of the disk.
    pub async fn next(&self, lease: Duration) -> Result<Claim, StoreError> {
        loop {
            self.well().await?;
            self.pending().await?;
            if let Some(claim) = self.claim(lease).await? {
                return Ok(claim);
            }
        }
    }

    /// A job of this tenant; `None` stands for every tenant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or an error of the disk.
    pub async fn status(&self, id: JobId, tenant: Option<&str>) -> Result<Status, StoreError> {
        let status = self
            .read(move |database| disk::status(database, id))
            .await?;
        let mut status = status
            .filter(|status| tenant.is_none_or(|tenant| tenant == status.job.tenant))
            .ok_or(StoreError::NotFound)?;
        if let Some(sealed) = status.outcome {
            status.outcome = Some(self.inner.seal.open(Place::Outcome(id), &sealed)?);
        }
        Ok(status)
    }

    /// Ends a job of this tenant, running or not; its worker is told at the next renewal.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Ended`], or an error of the disk.
    pub async fn cancel(&self, id: JobId, tenant: Option<&str>) -> Result<Job, StoreError> {
        let tenant = tenant.map(str::to_owned);
        self.write(move |batch| batch.cancel(id, tenant.as_deref()))
            .await?
    }

    /// The newest jobs, at most [`MAX_LIST`], of a tenant and in a state where those are given.
    ///
    /// # Errors
    /// An error of the disk.
    pub async fn list(
        &self,
        tenant: Option<&str>,
        state: Option<JobState>,
    ) -> Result<Vec<Job>, StoreError> {
        let tenant = tenant.map(str::to_owned);
        let wanted = move |job: &Job| {
            tenant.as_ref().is_none_or(|tenant| *tenant == job.tenant)
                && state.is_none_or(|state| state == job.state)
        };
        self.read(move |database| disk::list(database, MAX_LIST, wanted))
            .await
    }

    /// Whether changes are accepted: the store is open, the last write succeeded, and the file is still at its
    /// path.
    pub fn is_well(&self) -> bool {
        let queue = self.inner.queue.lock();
        let is_open = queue.unwrap_or_else(PoisonError::into_inner).is_some();
        is_open && *self.inner.shared.well.borrow() && self.inner.medium.check_in_place().is_ok()
    }

    /// Waits until the disk accepts changes.
    pub async fn well(&self) -> Result<(), StoreError> {
        let mut well = self.inner.shared.well.subscribe();
        let waited = well.wait_for(|well| *well).await;
        waited.map(|_| ()).map_err(|_| StoreError::Closed)
    }

    /// Jobs by state.
    pub fn states(&self) -> States {
        self.inner.shared.states()
    }

    /// Payloads on disk: of jobs that have not ended.
    ///
    /// # Errors
    /// An error of the disk.
    pub async fn payloads(&self) -> Result<u64, StoreError> {
        self.read(disk::payloads).await
    }

    /// Waits until a job is pending.
    pub(super) async fn pending(&self) -> Result<(), StoreError> {
        let mut pending = self.inner.shared.pending.subscribe();
        let waited = pending.wait_for(|pending| *pending > 0).await;
        waited.map(|_| ()).map_err(|_| StoreError::Closed)
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.inner.shared.clock.now_ms()
    }

    pub(super) fn keep(&self) -> Duration {
        self.inner.keep
    }

    /// Answers stored for idempotency keys.
    pub fn answers(&self) -> usize {
        self.inner.shared.answers.load(Ordering::Relaxed)
    }

    /// Answers dropped before their time, because there were too many.
    pub fn answers_evicted(&self) -> u64 {
        self.inner.shared.answers_evicted.load(Ordering::Relaxed)
    }

    /// The answer for this key, if it is still stored.
    pub(super) async fn answer(&self, key: Hash) -> Result<Option<Record>, StoreError> {
        let keep_ms = self.keep().as_millis() as u64;
        let since_ms = (self.now_ms() + 1).saturating_sub(keep_ms);
        let row = self
            .read(move |database| disk::answer(database, &key, since_ms))
            .await?;
        let open = |row: Vec<u8>| self.inner.seal.open(Place::Answer(&key), &row);
        Ok(row
            .map(open)
            .transpose()?
            .and_then(|row| Record::from_row(&row)))
    }

    /// Stores an answer. When this returns, it is on disk.
    pub(super) async fn remember(&self, key: Hash, record: &Record) -> Result<(), StoreError> {
        let row = self.inner.seal.seal(Place::Answer(&key), &record.to_row());
        self.write(move |batch| batch.remember(key, &row)).await
    }

    /// Writes queued changes and closes; later calls fail with [`StoreError::Closed`].
    pub async fn close(&self) {
        let inner = Arc::clone(&self.inner);
        // Fails only when the runtime ends, and then dropping the handle closes the store.
        let _ = tokio::task::spawn_blocking(move || inner.close()).await;
    }

    /// Lets the writer apply a change and returns its result once it is committed.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Batch) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let places = Arc::clone(&self.inner.places);
        let place = places
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let (answer, answered) = oneshot::channel();
        self.inner.queue(tell(change, answer), Some(place))?;
        // The writer drops the change without a reply when the disk fails before its turn.
        answered
            .await
            .unwrap_or(Err(StoreError::Disk(Arc::new(redb::Error::PreviousIo))))
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let medium = Arc::clone(&self.inner.medium);
        let read = tokio::task::spawn_blocking(move || medium.with(read));
        let found = read.await.map_err(|_| StoreError::Closed)?;
        if found.is_err() && self.is_well() {
            // The next change would fail, too. This one makes the writer notice now.
            let nothing: Change = Box::new(|_| Ok(Box::new(|_| {}) as Settle));
            let _ = self.inner.queue(nothing, None);
        }
        Ok(found?)
    }
}

/// A change whose result is sent to `answer` with the result of the commit.
fn tell<T: Send + 'static>(
    change: impl FnOnce(&mut Batch) -> Result<T, redb::Error> + Send + 'static,
    answer: oneshot::Sender<Result<T, StoreError>>,
) -> Change {
    Box::new(move |batch| {
        let value = change(batch)?;
        let settle = move |fate: Result<(), StoreError>| {
            // The caller may be gone; the change remains.
            let _ = answer.send(fate.map(|()| value));
        };
        Ok(Box::new(settle) as Settle)
    })
}

impl Inner {
    fn queue(&self, change: Change, place: Option<OwnedSemaphorePermit>) -> Result<(), StoreError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or(StoreError::Closed)?;
        queue
            .send(Command { change, place })
            .map_err(|_| StoreError::Closed)
    }

    fn close(&self) {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let thread = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the job store's writer panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("states", &self.states())
            .finish()
    }
}
