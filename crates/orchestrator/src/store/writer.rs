//! The one thread that writes. It takes whatever has queued up, applies it in one transaction,
//! commits once and only then answers: a commit costs one fsync however many it serves, and an
//! answer means that the change is on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redb::{Database, Durability};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::disk::Tables;
use super::idempotency::Hash;
use super::index::Index;
use super::job::{Job, JobId, JobState, NewJob, Outcome, Return, States};
use super::{Config, StoreError};

/// The most changes that share a commit.
const BATCH: usize = 256;
/// The most expired or overdue jobs that are cleared before a batch.
const CHORES: usize = 256;
const IDLE: Duration = Duration::from_secs(60);

/// One change and whoever waits for it.
pub(super) struct Command {
    pub change: Change,
    /// The place in the queue, free again once the change is done.
    pub place: Option<OwnedSemaphorePermit>,
}

/// Applies a change; what it returns is called with the fate of the commit.
pub(super) type Change =
    Box<dyn for<'b, 't> FnOnce(&'b mut Batch<'t>) -> Result<Settle, redb::Error> + Send>;
pub(super) type Settle = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// What others see of the writer.
#[derive(Debug)]
pub(super) struct Shared {
    pub pending: watch::Sender<usize>,
    pub clock: Clock,
    pub answers: AtomicUsize,
    pub answers_evicted: AtomicU64,
    states: [AtomicUsize; JobState::ALL.len()],
}

pub(super) struct Writer {
    database: Arc<Database>,
    index: Index,
    shared: Arc<Shared>,
    config: Config,
}

/// The state that the changes of one transaction work on.
pub(super) struct Batch<'t> {
    tables: Tables<'t>,
    index: &'t mut Index,
    config: &'t Config,
    shared: &'t Shared,
    now_ms: u64,
    written: Option<Durability>,
}

/// What a transaction does before anybody's changes.
#[derive(Debug, Clone, Copy)]
enum First {
    /// See [`Batch::recover`].
    Recover,
    /// See [`Batch::chores`].
    Chores,
}

/// Wall time at the start plus time passed since, so that it never runs backwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start_ms: u64,
    started: Instant,
}

impl Shared {
    pub fn new() -> Self {
        Self {
            pending: watch::Sender::new(0),
            clock: Clock::new(),
            answers: AtomicUsize::new(0),
            answers_evicted: AtomicU64::new(0),
            states: Default::default(),
        }
    }

    pub fn states(&self) -> States {
        JobState::ALL.map(|state| (state, self.states[state as usize].load(Ordering::Relaxed)))
    }

    fn publish(&self, index: &Index) {
        for (shared, count) in self.states.iter().zip(index.states()) {
            shared.store(count, Ordering::Relaxed);
        }
        self.answers.store(index.answers(), Ordering::Relaxed);
        let pending = index.states()[JobState::Pending as usize];
        self.pending
            .send_if_modified(|shown| std::mem::replace(shown, pending) != pending);
    }
}

impl Writer {
    /// Reads what is on disk; whatever was running when the last process ended is pending again.
    pub fn start(
        database: Arc<Database>,
        config: Config,
        shared: Arc<Shared>,
    ) -> Result<Self, redb::Error> {
        let mut writer = Self {
            database,
            index: Index::default(),
            shared,
            config,
        };
        writer.load()?;
        writer.commit(Vec::new(), First::Recover)?;
        Ok(writer)
    }

    /// Serves until every sender is gone.
    pub fn run(mut self, queue: &Receiver<Command>) {
        loop {
            self.shared.publish(&self.index);
            let first = match queue.recv_timeout(self.until_due()) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let commands = first
                .into_iter()
                .chain(queue.try_iter())
                .take(BATCH)
                .collect();
            if let Err(error) = self.commit(commands, First::Chores) {
                tracing::error!(%error, "the job store cannot write; what was asked of it failed");
                if let Err(error) = self.load() {
                    tracing::error!(%error, "the job store cannot read its file");
                }
            }
        }
    }

    fn until_due(&self) -> Duration {
        let due_ms = self.index.next_due_ms(self.config.keep).unwrap_or(u64::MAX);
        Duration::from_millis(due_ms.saturating_sub(self.shared.clock.now_ms())).min(IDLE)
    }

    /// Makes the index what the disk says.
    fn load(&mut self) -> Result<(), redb::Error> {
        let mut index = Index::default();
        let transaction = self.database.begin_write()?;
        let tables = Tables::open(&transaction)?;
        let unreadable = tables.each_job(|job| index.put(job))?;
        tables.each_answer(|key, at_ms, bytes| index.put_answer(at_ms, key, bytes))?;
        drop(tables);
        transaction.commit()?;
        if unreadable > 0 {
            tracing::warn!(unreadable, "jobs of another version are left alone");
        }
        self.index = index;
        Ok(())
    }

    /// One transaction: `first`, then the commands. Everybody is told the fate of the commit.
    fn commit(&mut self, commands: Vec<Command>, first: First) -> Result<(), redb::Error> {
        let (changes, places): (Vec<_>, Vec<_>) = commands
            .into_iter()
            .map(|command| (command.change, command.place))
            .unzip();
        let mut settles = Vec::with_capacity(changes.len());
        let fate = self
            .transact(changes, first, &mut settles)
            .map_err(Arc::new);
        drop(places);
        // Before the answers: who was told of a job also finds it in the counts.
        self.shared.publish(&self.index);
        for settle in settles {
            settle(fate.clone().map_err(StoreError::Disk));
        }
        fate.map_err(|error| Arc::into_inner(error).unwrap_or(redb::Error::PreviousIo))
    }

    fn transact(
        &mut self,
        changes: Vec<Change>,
        first: First,
        settles: &mut Vec<Settle>,
    ) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        let mut batch = Batch {
            tables: Tables::open(&transaction)?,
            index: &mut self.index,
            config: &self.config,
            shared: &self.shared,
            now_ms: self.shared.clock.now_ms(),
            written: None,
        };
        match first {
            First::Recover => batch.recover()?,
            First::Chores => batch.chores()?,
        }
        for change in changes {
            settles.push(change(&mut batch)?);
        }
        let written = batch.written;
        drop(batch);
        match written {
            None => transaction.abort()?,
            Some(durability) => {
                transaction.set_durability(durability)?;
                transaction.commit()?;
            }
        }
        Ok(())
    }
}

impl Batch<'_> {
    /// Takes a job in, with its payload as it is kept.
    pub fn submit(
        &mut self,
        id: JobId,
        new: &NewJob,
        sealed: &[u8],
    ) -> Result<Result<Job, StoreError>, redb::Error> {
        if let Err(full) = self
            .index
            .has_room(&self.config.limits, new.payload.len() as u64)
        {
            return Ok(Err(full));
        }
        let job = Job::new(id, new, self.now_ms);
        self.tables.put_payload(id, sealed)?;
        self.put(job.clone(), Durability::Immediate)?;
        Ok(Ok(job))
    }

    /// Gives the most urgent pending job to a worker, with its payload. On disk before it is
    /// answered: a job that kills the process must be found to have been tried.
    pub fn claim(&mut self, lease: Duration) -> Result<Option<(Job, bytes::Bytes)>, redb::Error> {
        let Some(mut job) = self.index.next_pending().cloned() else {
            return Ok(None);
        };
        job.claim(self.now_ms, lease)
            .expect("what the index lists as pending is pending");
        let payload = self.tables.payload(job.id)?;
        self.put(job.clone(), Durability::Immediate)?;
        Ok(Some((job, payload)))
    }

    /// Keeps a claim. Not worth an fsync: after a crash nobody holds a claim anyway.
    pub fn renew(
        &mut self,
        id: JobId,
        epoch: u32,
        lease: Duration,
        progress: f32,
    ) -> Result<Result<Job, StoreError>, redb::Error> {
        let now_ms = self.now_ms;
        self.change(id, Durability::None, |job| {
            job.renew(epoch, now_ms, lease, progress)
        })
    }

    /// Ends a job, with its outcome as it is kept.
    pub fn finish(
        &mut self,
        id: JobId,
        epoch: u32,
        (outcome, sealed): (&Outcome, &[u8]),
    ) -> Result<Result<Job, StoreError>, redb::Error> {
        let now_ms = self.now_ms;
        let changed = self.change(id, Durability::Immediate, |job| {
            job.finish(epoch, now_ms, outcome)
        })?;
        if changed.is_ok() {
            self.tables.put_outcome(id, sealed)?;
        }
        Ok(changed)
    }

    /// Ends a job of this tenant; `None` stands for every tenant.
    pub fn cancel(
        &mut self,
        id: JobId,
        tenant: Option<&str>,
    ) -> Result<Result<Job, StoreError>, redb::Error> {
        let now_ms = self.now_ms;
        self.change(id, Durability::Immediate, |job| match tenant {
            Some(tenant) if tenant != job.tenant => Err(StoreError::NotFound),
            _ => job.cancel(now_ms),
        })
    }

    pub fn give_back(
        &mut self,
        id: JobId,
        epoch: u32,
        why: Return,
    ) -> Result<Result<Job, StoreError>, redb::Error> {
        let (now_ms, max_lost) = (self.now_ms, self.config.max_lost);
        self.change(id, Durability::Immediate, |job| {
            job.give_back(epoch, now_ms, why, max_lost)
        })
    }

    fn change(
        &mut self,
        id: JobId,
        durability: Durability,
        change: impl FnOnce(&mut Job) -> Result<(), StoreError>,
    ) -> Result<Result<Job, StoreError>, redb::Error> {
        let Some(mut job) = self.index.get(id).cloned() else {
            return Ok(Err(StoreError::NotFound));
        };
        if let Err(refused) = change(&mut job) {
            return Ok(Err(refused));
        }
        if job.state.has_ended() {
            self.tables.drop_payload(id)?;
        }
        self.put(job.clone(), durability)?;
        Ok(Ok(job))
    }

    fn put(&mut self, job: Job, durability: Durability) -> Result<(), redb::Error> {
        self.tables.put_job(&job)?;
        self.index.put(job);
        self.wrote(durability);
        Ok(())
    }

    fn wrote(&mut self, durability: Durability) {
        if !matches!(self.written, Some(Durability::Immediate)) {
            self.written = Some(durability);
        }
    }

    /// Keeps an answer, and drops the oldest while there are too many.
    pub fn remember(&mut self, key: Hash, row: &[u8]) -> Result<(), redb::Error> {
        if let Some(at_ms) = self.tables.put_answer(&key, self.now_ms, row)? {
            self.index.remove_answer(at_ms, key);
        }
        self.index.put_answer(self.now_ms, key, row.len() as u64);
        self.wrote(Durability::Immediate);
        while let Some((at_ms, key)) = self.index.surplus(&self.config.limits) {
            self.forget(at_ms, key)?;
            self.shared.answers_evicted.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn forget(&mut self, at_ms: u64, key: Hash) -> Result<(), redb::Error> {
        self.tables.remove_answer(&key)?;
        self.index.remove_answer(at_ms, key);
        self.wrote(Durability::Immediate);
        Ok(())
    }

    /// Nobody of the last process is left: every running job lost its worker.
    fn recover(&mut self) -> Result<(), redb::Error> {
        let running: Vec<(JobId, u32)> = self
            .index
            .running()
            .map(|job| (job.id, job.epoch))
            .collect();
        for (id, epoch) in &running {
            // A refusal would mean that it runs no more, which is what is wanted.
            let _ = self.give_back(*id, *epoch, Return::Lost)?;
        }
        if !running.is_empty() {
            tracing::info!(
                jobs = running.len(),
                "jobs that were running are pending again"
            );
        }
        Ok(())
    }

    /// Takes overdue jobs from their workers and drops what was kept long enough.
    fn chores(&mut self) -> Result<(), redb::Error> {
        for _ in 0..CHORES {
            let overdue = self
                .index
                .overdue(self.now_ms)
                .map(|job| (job.id, job.epoch));
            if let Some((id, epoch)) = overdue {
                let _ = self.give_back(id, epoch, Return::Lost)?;
            } else if let Some(id) = self.index.expired(self.now_ms, self.config.keep) {
                self.tables.remove_job(id)?;
                self.index.remove(id);
                self.wrote(Durability::Immediate);
            } else if let Some((at_ms, key)) = self.index.outdated(self.now_ms, self.config.keep) {
                self.forget(at_ms, key)?;
            } else {
                break;
            }
        }
        Ok(())
    }
}

impl Clock {
    fn new() -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start_ms: since_1970.as_millis() as u64,
            started: Instant::now(),
        }
    }

    pub fn now_ms(&self) -> u64 {
        self.start_ms + self.started.elapsed().as_millis() as u64
    }
}
