//! The state that an embedded store's handles and its writer share.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::index::Index;
use super::job::{JobId, JobState, Return, States};

#[derive(Debug)]
pub(super) struct Shared {
    pub pending: watch::Sender<usize>,
    /// Whether the last write succeeded. Cleared before a failure is reported, set after a success.
    pub well: watch::Sender<bool>,
    pub clock: Clock,
    pub answers: AtomicUsize,
    pub answers_evicted: AtomicU64,
    states: [AtomicUsize; JobState::ALL.len()],
    claims: Mutex<Claims>,
}

/// The claims of workers, which a failing disk may not contain.
#[derive(Debug, Default)]
struct Claims {
    /// The leases of claimed jobs, by job and epoch.
    held: HashMap<(JobId, u32), Duration>,
    /// Claims dropped by workers that panicked, but not yet on disk.
    lost: HashSet<(JobId, u32)>,
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
            well: watch::Sender::new(true),
            clock: Clock::new(),
            answers: AtomicUsize::new(0),
            answers_evicted: AtomicU64::new(0),
            states: Default::default(),
            claims: Mutex::default(),
        }
    }

    pub fn states(&self) -> States {
        JobState::ALL.map(|state| (state, self.states[state as usize].load(Ordering::Relaxed)))
    }

    pub fn publish(&self, index: &Index) {
        for (shared, count) in self.states.iter().zip(index.states()) {
            shared.store(count, Ordering::Relaxed);
        }
        self.answers.store(index.answers(), Ordering::Relaxed);
        let pending = index.states()[JobState::Pending as usize];
        self.pending
            .send_if_modified(|shown| std::mem::replace(shown, pending) != pending);
    }

    /// Records a worker's claim.
    pub fn hold(&self, job: JobId, epoch: u32, lease: Duration) {
        self.claims().held.insert((job, epoch), lease);
    }

    /// Records the end of a claim. A lost one is remembered until it is on disk.
    pub fn let_go(&self, job: JobId, epoch: u32, why: Option<Return>) {
        let claim = (job, epoch);
        let mut claims = self.claims();
        claims.held.remove(&claim);
        if why == Some(Return::Lost) {
            claims.lost.insert(claim);
        }
    }

    /// The lease of a worker's claim, or the reason for its end. A claim that was never given to a worker
    /// counts as parked.
    pub fn holder(&self, job: JobId, epoch: u32) -> Result<Duration, Return> {
        let claim = (job, epoch);
        let claims = self.claims();
        match claims.held.get(&claim) {
            Some(lease) => Ok(*lease),
            None if claims.lost.contains(&claim) => Err(Return::Lost),
            None => Err(Return::Parked),
        }
    }

    /// Records that the end of this claim is on disk.
    pub fn forget(&self, job: JobId, epoch: u32) {
        self.claims().lost.remove(&(job, epoch));
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
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
