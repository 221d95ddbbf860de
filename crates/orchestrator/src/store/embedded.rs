//! The handle of the embedded store: asks the writer, reads by itself.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use redb::{Database, StorageBackend};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::idempotency::{Hash, Record};
use super::job::{Job, JobId, JobState, NewJob, Outcome, Return, Status};
use super::writer::{Batch, Change, Command, Settle, Shared, Writer};
use super::{Config, StoreError, disk};

/// Changes that may wait for the writer; who comes later waits before it joins the queue.
const QUEUE: usize = 1_024;
/// The most jobs that one listing shows.
pub const MAX_LIST: usize = 1_000;

/// Jobs in one file of this machine. Clones share it; the last one to go closes the file.
#[derive(Clone)]
pub struct Embedded {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` once the store closes.
    queue: Mutex<Option<Sender<Command>>>,
    places: Arc<Semaphore>,
    database: Arc<Database>,
    shared: Arc<Shared>,
    keep: Duration,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// A job in the hands of a worker. Dropped without an outcome it goes back to the others: parked,
/// or counted as lost when the worker panics.
pub struct Claim {
    pub job: Job,
    pub payload: Bytes,
    lease: Duration,
    store: Weak<Inner>,
    held: bool,
}

impl Embedded {
    /// Opens or creates the file, repairs it after a crash and starts the writer. Blocks.
    ///
    /// # Errors
    /// The file cannot be opened, is no store, or another process has it.
    pub fn open(config: Config) -> Result<Self, StoreError> {
        let database = Database::create(&config.path).map_err(redb::Error::from)?;
        Self::with_database(database, config)
    }

    /// The same on other storage than a file; `config.path` is not looked at.
    ///
    /// # Errors
    /// The storage fails.
    pub fn open_on(storage: impl StorageBackend, config: Config) -> Result<Self, StoreError> {
        let database = Database::builder()
            .create_with_backend(storage)
            .map_err(redb::Error::from)?;
        Self::with_database(database, config)
    }

    fn with_database(database: Database, config: Config) -> Result<Self, StoreError> {
        let database = Arc::new(database);
        let shared = Arc::new(Shared::new());
        let keep = config.keep;
        let writer = Writer::start(Arc::clone(&database), config, Arc::clone(&shared))?;
        let (queue, commands) = channel();
        let thread = std::thread::Builder::new()
            .name("job-store".to_owned())
            .spawn(move || writer.run(&commands))
            .map_err(redb::Error::from)?;
        let inner = Inner {
            queue: Mutex::new(Some(queue)),
            places: Arc::new(Semaphore::new(QUEUE)),
            database,
            shared,
            keep,
            writer: Mutex::new(Some(thread)),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Takes a job in. When this returns it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Full`], or the disk's.
    pub async fn submit(&self, new: NewJob) -> Result<Job, StoreError> {
        self.write(move |batch| batch.submit(JobId::new(), &new))
            .await?
    }

    /// The most urgent pending job, if there is one. Another worker gets it when the lease ends
    /// before it is renewed or finished.
    ///
    /// # Errors
    /// The disk's.
    pub async fn claim(&self, lease: Duration) -> Result<Option<Claim>, StoreError> {
        let store = Arc::downgrade(&self.inner);
        // Wrapped here and not after the answer: an answer that nobody waits for any more is
        // dropped, and thereby the claim.
        let claim = move |batch: &mut Batch| {
            let claimed = batch.claim(lease)?;
            Ok(claimed.map(|(job, payload)| Claim {
                job,
                payload,
                lease,
                store,
                held: true,
            }))
        };
        self.write(claim).await
    }

    /// Waits for a pending job and claims it.
    ///
    /// # Errors
    /// The disk's.
    pub async fn next(&self, lease: Duration) -> Result<Claim, StoreError> {
        loop {
            self.pending().await?;
            if let Some(claim) = self.claim(lease).await? {
                return Ok(claim);
            }
        }
    }

    /// A job of this tenant; `None` stands for every tenant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or the disk's.
    pub async fn status(&self, id: JobId, tenant: Option<&str>) -> Result<Status, StoreError> {
        let status = self
            .read(move |database| disk::status(database, id))
            .await?;
        status
            .filter(|status| tenant.is_none_or(|tenant| tenant == status.job.tenant))
            .ok_or(StoreError::NotFound)
    }

    /// Ends a job of this tenant, running or not; its worker learns it at the next renewal.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Ended`], or the disk's.
    pub async fn cancel(&self, id: JobId, tenant: Option<&str>) -> Result<Job, StoreError> {
        let tenant = tenant.map(str::to_owned);
        self.write(move |batch| batch.cancel(id, tenant.as_deref()))
            .await?
    }

    /// The newest jobs, at most [`MAX_LIST`], of a tenant and in a state where those are given.
    ///
    /// # Errors
    /// The disk's.
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

    /// Whether changes are still taken.
    pub fn is_open(&self) -> bool {
        let queue = self
            .inner
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        queue.is_some()
    }

    /// Jobs by state.
    pub fn states(&self) -> [(JobState, usize); JobState::ALL.len()] {
        self.inner.shared.states()
    }

    /// Payloads on disk: of jobs that have not ended.
    ///
    /// # Errors
    /// The disk's.
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

    /// Answers kept for idempotency keys.
    pub fn answers(&self) -> usize {
        self.inner.shared.answers.load(Ordering::Relaxed)
    }

    /// Answers dropped before their time, because there were too many.
    pub fn answers_evicted(&self) -> u64 {
        self.inner.shared.answers_evicted.load(Ordering::Relaxed)
    }

    /// What was answered to this key, if it is still kept.
    pub(super) async fn answer(&self, key: Hash) -> Result<Option<Record>, StoreError> {
        let keep_ms = self.keep().as_millis() as u64;
        let since_ms = (self.now_ms() + 1).saturating_sub(keep_ms);
        self.read(move |database| disk::answer(database, &key, since_ms))
            .await
    }

    /// Writes out what is queued and closes; later calls fail with [`StoreError::Closed`].
    pub async fn close(&self) {
        let inner = Arc::clone(&self.inner);
        // Fails only when the runtime ends, and then dropping the handle closes the store.
        let _ = tokio::task::spawn_blocking(move || inner.close()).await;
    }

    /// Has the writer apply a change and returns what came of it once it is committed.
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
        // The writer drops the question unanswered only if it cannot begin a transaction.
        answered
            .await
            .unwrap_or(Err(StoreError::Disk(Arc::new(redb::Error::PreviousIo))))
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.inner.database);
        let read = tokio::task::spawn_blocking(move || read(&database));
        Ok(read.await.map_err(|_| StoreError::Closed)??)
    }
}

/// A change whose result goes to `answer` with the fate of the commit.
fn tell<T: Send + 'static>(
    change: impl FnOnce(&mut Batch) -> Result<T, redb::Error> + Send + 'static,
    answer: oneshot::Sender<Result<T, StoreError>>,
) -> Change {
    Box::new(move |batch| {
        let value = change(batch)?;
        let settle = move |fate: Result<(), StoreError>| {
            // Whoever asked may have gone; the change stands.
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
        let job = store
            .write(move |batch| batch.finish(id, epoch, &outcome))
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

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("states", &self.states())
            .finish()
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

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    fn store(change: impl FnOnce(&mut Config)) -> (TempDir, Embedded) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::new(folder.path().join("jobs.redb"));
        change(&mut config);
        let store = Embedded::open(config).expect("a new file");
        (folder, store)
    }

    fn job(payload: &str) -> NewJob {
        NewJob {
            request_id: "r".to_owned(),
            tenant: "t".to_owned(),
            urgency: 1,
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        }
    }

    fn done(text: &str) -> Outcome {
        Outcome::Completed(Bytes::copy_from_slice(text.as_bytes()))
    }

    async fn check_state(store: &Embedded, id: JobId, expected: JobState, outcome: Option<&str>) {
        let status = store.status(id, Some("t")).await.expect("it is known");
        let found = status.outcome.as_deref().map(String::from_utf8_lossy);
        assert_eq!((status.job.state, found.as_deref()), (expected, outcome));
    }

    #[tokio::test]
    async fn a_job_is_submitted_claimed_and_finished_once() {
        let (_folder, store) = store(|_| {});
        let submitted = store.submit(job("work")).await.expect("room");
        check_state(&store, submitted.id, JobState::Pending, None).await;
        let claim = store.next(LEASE).await.expect("one is pending");
        assert_eq!(
            (claim.job.id, claim.payload.as_ref()),
            (submitted.id, b"work".as_ref())
        );
        claim.renew(0.5).await.expect("held");
        check_state(&store, submitted.id, JobState::Running, None).await;
        assert!(
            store.claim(LEASE).await.expect("it reads").is_none(),
            "given away once"
        );
        claim.finish(done("{}")).await.expect("held");
        check_state(&store, submitted.id, JobState::Completed, Some("{}")).await;
        assert_eq!(
            store.payloads().await.expect("it reads"),
            0,
            "content is kept no longer"
        );
    }

    #[tokio::test]
    async fn urgent_jobs_go_first_then_older_ones() {
        let (_folder, store) = store(|_| {});
        for (name, urgency) in [("a", 1), ("b", 1), ("c", 3), ("d", 0)] {
            store
                .submit(NewJob {
                    urgency,
                    ..job(name)
                })
                .await
                .expect("room");
        }
        let mut order = String::new();
        while let Some(claim) = store.claim(LEASE).await.expect("it reads") {
            order.push_str(std::str::from_utf8(&claim.payload).expect("a letter"));
            claim.finish(done("")).await.expect("held");
        }
        assert_eq!(order, "cabd");
    }

    #[tokio::test]
    async fn a_job_whose_lease_is_over_goes_to_another_and_the_first_is_fenced() {
        let (_folder, store) = store(|_| {});
        let id = store.submit(job("x")).await.expect("room").id;
        let slow = store
            .next(Duration::from_millis(1))
            .await
            .expect("one is pending");
        let second = store.next(LEASE).await.expect("the lease ends by itself");
        assert_eq!((second.job.epoch, second.job.lost), (2, 1));
        assert!(matches!(slow.renew(0.9).await, Err(StoreError::Fenced)));
        assert!(matches!(
            slow.finish(done("slow")).await,
            Err(StoreError::Fenced)
        ));
        second.finish(done("second")).await.expect("held");
        check_state(&store, id, JobState::Completed, Some("second")).await;
    }

    #[tokio::test]
    async fn a_dropped_claim_is_parked_and_costs_no_life() {
        let (_folder, store) = store(|config| config.max_lost = 1);
        let id = store.submit(job("x")).await.expect("room").id;
        for _ in 0..3 {
            drop(store.next(LEASE).await.expect("pending again"));
        }
        let claim = store.next(LEASE).await.expect("pending again");
        assert_eq!((claim.job.id, claim.job.epoch, claim.job.lost), (id, 4, 0));
    }

    #[tokio::test]
    async fn a_job_that_loses_worker_after_worker_is_given_up() {
        let (folder, first) = store(|config| config.max_lost = 2);
        let id = first.submit(job("poison")).await.expect("room").id;
        first.close().await;
        drop(first);
        for _ in 0..2 {
            let mut config = Config::new(folder.path().join("jobs.redb"));
            config.max_lost = 2;
            let store = Embedded::open(config).expect("the file is free again");
            let claim = store.next(LEASE).await.expect("pending");
            // The store closes before the claim is dropped, as if the process had been killed.
            store.close().await;
            drop(claim);
        }
        let mut config = Config::new(folder.path().join("jobs.redb"));
        config.max_lost = 2;
        let store = Embedded::open(config).expect("the file is free again");
        check_state(&store, id, JobState::Failed, None).await;
        assert_eq!(store.payloads().await.expect("it reads"), 0);
    }

    #[tokio::test]
    async fn a_cancelled_job_stays_cancelled() {
        let (_folder, store) = store(|_| {});
        let id = store.submit(job("x")).await.expect("room").id;
        let claim = store.next(LEASE).await.expect("one is pending");
        assert!(matches!(
            store.cancel(id, Some("other")).await,
            Err(StoreError::NotFound)
        ));
        store.cancel(id, Some("t")).await.expect("it runs");
        let told = claim.renew(0.1).await;
        assert!(
            matches!(told, Err(StoreError::Ended(JobState::Cancelled))),
            "{told:?}"
        );
        assert!(claim.finish(done("late")).await.is_err());
        check_state(&store, id, JobState::Cancelled, None).await;
        let again = store.cancel(id, None).await;
        assert!(
            matches!(again, Err(StoreError::Ended(JobState::Cancelled))),
            "{again:?}"
        );
    }

    #[tokio::test]
    async fn another_tenants_job_does_not_exist() {
        let (_folder, store) = store(|_| {});
        let id = store.submit(job("x")).await.expect("room").id;
        assert!(matches!(
            store.status(id, Some("other")).await,
            Err(StoreError::NotFound)
        ));
        assert_eq!(
            store.list(Some("other"), None).await.expect("it reads"),
            Vec::new()
        );
        assert_eq!(
            store
                .list(Some("t"), Some(JobState::Pending))
                .await
                .expect("it reads")
                .len(),
            1
        );
        assert_eq!(
            store
                .list(None, Some(JobState::Running))
                .await
                .expect("it reads")
                .len(),
            0
        );
    }

    #[tokio::test]
    async fn a_full_store_refuses_and_says_which_limit() {
        let full = |result: Result<Job, StoreError>| match result {
            Err(StoreError::Full { what, .. }) => what,
            other => panic!("not refused: {other:?}"),
        };
        let (_folder, store) = store(|config| {
            config.limits.open_jobs = 2;
            config.limits.jobs = 3;
            config.limits.bytes = 10;
        });
        assert_eq!(
            full(store.submit(job("12345678901")).await),
            "bytes of requests and results"
        );
        store.submit(job("1")).await.expect("room");
        store.submit(job("2")).await.expect("room");
        assert_eq!(full(store.submit(job("3")).await), "unfinished jobs");
        for _ in 0..2 {
            let claim = store.next(LEASE).await.expect("one is pending");
            claim.finish(done("")).await.expect("held");
        }
        store.submit(job("3")).await.expect("room again");
        assert_eq!(
            full(store.submit(job("4")).await),
            "jobs, finished ones included"
        );
    }

    #[tokio::test]
    async fn an_ended_job_is_forgotten_after_its_time() {
        let (_folder, store) = store(|config| config.keep = Duration::from_millis(1));
        let id = store.submit(job("x")).await.expect("room").id;
        let kept = store.submit(job("y")).await.expect("room").id;
        store
            .next(LEASE)
            .await
            .expect("one is pending")
            .finish(done(""))
            .await
            .expect("held");
        while store.status(id, None).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        check_state(&store, kept, JobState::Pending, None).await;
        assert_eq!(store.states()[JobState::Completed as usize].1, 0);
    }

    #[tokio::test]
    async fn a_closed_store_says_so() {
        let (_folder, store) = store(|_| {});
        store.close().await;
        assert!(matches!(
            store.submit(job("x")).await,
            Err(StoreError::Closed)
        ));
    }

    #[tokio::test]
    async fn a_second_process_cannot_open_the_file() {
        let (folder, _store) = store(|_| {});
        let second = Embedded::open(Config::new(folder.path().join("jobs.redb")));
        assert!(matches!(second, Err(StoreError::Disk(_))), "{second:?}");
    }
}
