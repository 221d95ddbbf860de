//! The only thread that writes. It takes all queued changes, applies them in one transaction, commits once and
//! only then replies: a commit costs one fsync for any number of changes, and a reply means that the change is
//! on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use redb::Durability;
use tokio::sync::OwnedSemaphorePermit;

use super::disk::{self, Tables};
use super::index::Index;
use super::job::{Job, JobId, NewJob, Outcome, Return};
use super::medium::Medium;
use super::record::Hash;
use super::shared::Shared;
use super::{Config, StoreError};

/// Maximum number of changes that share a commit.
const BATCH: usize = 256;
/// Maximum number of expired or overdue jobs that are cleared before a batch.
const CHORES: usize = 256;
const IDLE: Duration = Duration::from_secs(60);
/// The space that must be available again on a disk that was full: as much as the failed changes, within
/// these bounds.
const ROOM_BYTES: (usize, usize) = (64 << 10, 1 << 20);

/// One change and its waiting caller.
pub(super) struct Command {
    pub change: Change,
    /// The place in the queue, free again once the change is done.
    pub place: Option<OwnedSemaphorePermit>,
}

/// Applies a change; the function that it returns is called with the result of the commit.
pub(super) type Change =
    Box<dyn for<'b, 't> FnOnce(&'b mut Batch<'t>) -> Result<Settle, redb::Error> + Send>;
pub(super) type Settle = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

pub(super) struct Writer {
    medium: Arc<Medium>,
    index: Index,
    shared: Arc<Shared>,
    config: Config,
    undecided: Undecided,
    /// The pause before the next attempt to reopen the medium.
    pause: Duration,
    /// The time of the last reopening.
    restored: Option<Instant>,
}

/// The state that the changes of one transaction work on.
pub(super) struct Batch<'t> {
    tables: Tables<'t>,
    index: &'t mut Index,
    config: &'t Config,
    shared: &'t Shared,
    undecided: &'t mut Undecided,
    now_ms: u64,
    written: Option<Durability>,
}

/// The intended effects of a transaction. After a failed commit it is unknown whether they are on disk.
#[derive(Debug, Default)]
struct Undecided {
    /// Jobs that were refused.
    jobs: Vec<JobId>,
    bytes: usize,
}

/// The first step of a transaction, before the changes.
#[derive(Debug, Clone, Copy)]
enum First {
    /// The process has just started: no worker of the last one is left.
    Start,
    /// The medium was reopened: see [`Batch::recover`].
    Recover,
    /// See [`Batch::chores`].
    Chores,
}

impl Writer {
    /// Reads the disk; jobs that were running when the last process ended are pending again.
    pub fn start(
        medium: Arc<Medium>,
        config: Config,
        shared: Arc<Shared>,
    ) -> Result<Self, redb::Error> {
        let mut writer = Self {
            medium,
            index: Index::default(),
            shared,
            config,
            undecided: Undecided::default(),
            pause: Duration::ZERO,
            restored: None,
        };
        writer.load()?;
        writer.commit(Vec::new(), First::Start)?;
        Ok(writer)
    }

    /// Runs until every sender is dropped.
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
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the job store cannot write; it rejects jobs until it can"
                );
                if !self.restore(queue) {
                    return;
                }
            }
        }
    }

    fn until_due(&self) -> Duration {
        let due_ms = self.index.next_due_ms(self.config.keep).unwrap_or(u64::MAX);
        Duration::from_millis(due_ms.saturating_sub(self.shared.clock.now_ms())).min(IDLE)
    }

    /// Reopens the medium repeatedly until it works, and refuses changes meanwhile. `None` when every sender is
    /// dropped.
    fn restore(&mut self, queue: &Receiver<Command>) -> bool {
        let (shortest, longest) = self.config.reopen_pause;
        // A pause, since a medium may fail again right after reopening.
        if self.restored.is_none_or(|at| at.elapsed() > longest) {
            self.pause = Duration::ZERO;
        }
        loop {
            if !turn_away(queue, self.pause) {
                return false;
            }
            let begun = Instant::now();
            let opened = self.open_again();
            // Repair reads the whole file, so it gets at most half of the time.
            let pause = (self.pause * 2).clamp(shortest, longest);
            self.pause = pause.max(begun.elapsed());
            match opened {
                Ok(()) => break,
                Err(error) => tracing::debug!(%error, "the job store still cannot write"),
            }
        }
        self.restored = Some(Instant::now());
        self.undecided = Undecided::default();
        self.shared.well.send_replace(true);
        tracing::info!("the job store can write again");
        true
    }

    /// Opens the medium and checks the fate of the last changes, and whether there is room for the failed ones.
    fn open_again(&mut self) -> Result<(), redb::Error> {
        let opened = catch_unwind(AssertUnwindSafe(|| {
            self.medium.reopen()?;
            self.load()?;
            self.commit(Vec::new(), First::Recover)?;
            let bytes = self.undecided.bytes.clamp(ROOM_BYTES.0, ROOM_BYTES.1);
            self.medium.with(|database| disk::try_room(database, bytes))
        }));
        opened.unwrap_or_else(|_| Err(panicked()))
    }

    /// Rebuilds the index from the disk.
    fn load(&mut self) -> Result<(), redb::Error> {
        let mut index = Index::default();
        let unreadable = self.medium.with(|database| {
            let transaction = database.begin_write()?;
            let tables = Tables::open(&transaction)?;
            let unreadable = tables.each_job(|job| index.put(job))?;
            tables.each_answer(|key, at_ms, bytes| index.put_answer(at_ms, key, bytes))?;
            drop(tables);
            transaction.commit()?;
            Ok(unreadable)
        })?;
        if unreadable > 0 {
            tracing::warn!(unreadable, "jobs of another version are left unchanged");
        }
        self.index = index;
        Ok(())
    }

    /// One transaction: `first`, then the commands. All callers get the result of the commit.
    fn commit(&mut self, commands: Vec<Command>, first: First) -> Result<(), redb::Error> {
        let (changes, places): (Vec<_>, Vec<_>) = commands
            .into_iter()
            .map(|command| (command.change, command.place))
            .unzip();
        let mut settles = Vec::with_capacity(changes.len());
        // After a panic the index may be inconsistent: it is rebuilt, as after any failure.
        let transacted = catch_unwind(AssertUnwindSafe(|| {
            self.transact(changes, first, &mut settles)
        }));
        let fate = transacted.unwrap_or_else(|_| Err(panicked()));
        let fate = fate.map_err(Arc::new);
        drop(places);
        if fate.is_err() {
            self.shared.well.send_replace(false);
        }
        // Before the replies, so that a confirmed job is also in the counts.
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
        let medium = Arc::clone(&self.medium);
        medium.check_in_place()?;
        medium.with(|database| {
            let mut transaction = database.begin_write()?;
            let mut batch = Batch {
                tables: Tables::open(&transaction)?,
                index: &mut self.index,
                config: &self.config,
                shared: &self.shared,
                undecided: &mut self.undecided,
                now_ms: self.shared.clock.now_ms(),
                written: None,
            };
            match first {
                First::Start => batch.start()?,
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
        })?;
        // Data in a file that was removed meanwhile is lost.
        medium.check_in_place()?;
        if !matches!(first, First::Recover) {
            self.undecided = Undecided::default();
        }
        Ok(())
    }
}

/// Refuses changes for this long; `None` when every sender is dropped.
fn turn_away(queue: &Receiver<Command>, time: Duration) -> bool {
    let until = Instant::now() + time;
    loop {
        // The caller notices by the closed reply channel.
        match queue.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(refused) => drop(refused),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

fn panicked() -> redb::Error {
    redb::Error::Corrupted("a change of the job store panicked".to_owned())
}

impl Batch<'_> {
    /// Adds a job with its sealed payload.
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
        self.undecided.jobs.push(id);
        self.undecided.bytes += sealed.len();
        self.tables.put_payload(id, sealed)?;
        self.put(job.clone(), Durability::Immediate)?;
        Ok(Ok(job))
    }

    /// Gives the most urgent pending job to a worker, with its payload. It is on disk before the reply, so that
    /// a job that kills the process counts as tried.
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

    /// Renews a claim. Not worth an fsync, since no claims survive a crash.
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

    /// Ends a job with its sealed outcome. A job that this claim has ended already stays so, since a failed
    /// commit may be on disk nevertheless.
    pub fn finish(
        &mut self,
        id: JobId,
        epoch: u32,
        outcome: &Outcome,
        sealed: &[u8],
    ) -> Result<Result<Job, StoreError>, redb::Error> {
        let now_ms = self.now_ms;
        let ended = self.index.get(id).filter(|job| job.epoch == epoch);
        if let Some(job) = ended.filter(|job| job.state == outcome.state())
            && self.tables.has_outcome(id)?
        {
            return Ok(Ok(job.clone()));
        }
        let changed = self.change(id, Durability::Immediate, |job| {
            job.finish(epoch, now_ms, outcome)
        })?;
        if changed.is_ok() {
            self.undecided.bytes += sealed.len();
            self.tables.put_outcome(id, sealed)?;
        }
        Ok(changed)
    }

    /// Ends a job of this tenant; `None` means every tenant.
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

    /// Stores an answer, and drops the oldest while there are too many.
    pub fn remember(&mut self, key: Hash, row: &[u8]) -> Result<(), redb::Error> {
        if let Some(at_ms) = self.tables.put_answer(&key, self.now_ms, row)? {
            self.index.remove_answer(at_ms, key);
        }
        self.undecided.bytes += row.len();
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

    /// No worker of the last process is left: every running job lost its worker.
    fn start(&mut self) -> Result<(), redb::Error> {
        let running = self.running();
        for (id, epoch) in &running {
            // A refusal would mean that it no longer runs, which is the aim.
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

    /// Makes the disk consistent with the replies: refused jobs are deleted, claimed ones stay claimed, and
    /// other running ones become pending.
    fn recover(&mut self) -> Result<(), redb::Error> {
        // Kept until this is on disk.
        for id in self.undecided.jobs.clone() {
            if self.index.get(id).is_some() {
                self.tables.remove_job(id)?;
                self.index.remove(id);
                self.wrote(Durability::Immediate);
            }
        }
        for (id, epoch) in self.running() {
            // No call is rejected: the index says that they run under these epochs.
            let _ = match self.shared.holder(id, epoch) {
                Ok(lease) => self.renew(id, epoch, lease, 0.0)?,
                Err(why) => self.give_back(id, epoch, why)?,
            };
        }
        Ok(())
    }

    fn running(&self) -> Vec<(JobId, u32)> {
        let running = self.index.running();
        running.map(|job| (job.id, job.epoch)).collect()
    }

    /// Takes overdue jobs from their workers and deletes expired entries.
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
