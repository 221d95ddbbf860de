//! Same tenant, same key, same body: the work is done once and everybody gets the same answer.
//!
//! The first request gets a [`Ticket`] and does the work; the others wait for it. An answer is on
//! disk before it is given and is replayed for a day. What runs is known only in memory: if the
//! process dies between the work and its answer, the next request does it again, once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::redis::{Redis, Told};
use super::{Embedded, StoreError};

/// How often another replica is asked whether it has an answer: from, doubling, to.
const POLL: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

/// What a replica may need beyond the time that a request has. After that it counts as dead, and
/// another may run what it had begun.
const GRACE: Duration = Duration::from_secs(5);

/// SHA-256 of tenant and key, or of a body.
pub type Hash = [u8; 32];

/// An answer as it is replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
}

/// An answer with what it is the answer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub fingerprint: Hash,
    pub answer: Answer,
}

/// What to do with a request that carries a key.
#[derive(Debug)]
pub enum Begun {
    /// Do the work, then [`Ticket::finish`].
    Run(Ticket),
    /// It was done before.
    Replay(Answer),
    /// The key was used with another body.
    Conflict,
    /// Somebody still works on it, and the time to wait is over.
    StillRunning,
}

/// The keys of all tenants on one embedded store, and in Redis. Clones share them.
#[derive(Debug, Clone)]
pub struct Idempotency {
    store: Embedded,
    redis: Option<Redis>,
    running: Arc<Mutex<HashMap<Hash, Running>>>,
}

/// The duty to do the work. Dropped without an answer the key is free again and the next one in
/// line does it.
pub struct Ticket {
    key: Hash,
    fingerprint: Hash,
    owner: Idempotency,
    /// This ticket's name in Redis. It may hold the key there even if we did not hear so.
    shared: Option<String>,
    /// Closed when the ticket is gone: those who wait look again.
    _done: watch::Sender<()>,
}

#[derive(Debug)]
struct Running {
    fingerprint: Hash,
    done: watch::Receiver<()>,
}

/// The name of a tenant's key, with the tenant's length first so that no two pairs look the same.
pub fn key_hash(tenant: &str, key: &str) -> Hash {
    let mut hash = Sha256::new();
    hash.update((tenant.len() as u64).to_le_bytes());
    hash.update(tenant);
    hash.update(key);
    hash.finalize().into()
}

impl Idempotency {
    /// With Redis the keys of all replicas; while it is lost those of this one.
    pub fn new(store: Embedded, redis: Option<Redis>) -> Self {
        Self {
            store,
            redis,
            running: Arc::default(),
        }
    }

    /// Begins a request of `tenant` with this key that has `time` for its answer; waits at most as
    /// long for one that runs.
    ///
    /// # Errors
    /// The store's; the request may then be run without the promise.
    pub async fn begin(
        &self,
        tenant: &str,
        key: &str,
        fingerprint: Hash,
        time: Duration,
    ) -> Result<Begun, StoreError> {
        let (key, until) = (key_hash(tenant, key), Instant::now() + time);
        loop {
            let mut done = match self.enter(key, fingerprint) {
                Entered::First(ticket) => return self.look_up(ticket, time, until).await,
                Entered::Other(running) if running.fingerprint != fingerprint => {
                    return Ok(Begun::Conflict);
                }
                Entered::Other(running) => running.done,
            };
            // Nothing is ever sent: an error is the sign.
            if timeout_at(until, done.changed()).await.is_err() {
                return Ok(Begun::StillRunning);
            }
        }
    }

    /// With the ticket in hand nobody else here can write this key, so what is read here holds.
    async fn look_up(
        &self,
        ticket: Ticket,
        time: Duration,
        until: Instant,
    ) -> Result<Begun, StoreError> {
        match self.store.answer(ticket.key).await? {
            None => {}
            Some(record) if record.fingerprint == ticket.fingerprint => {
                return Ok(Begun::Replay(record.answer));
            }
            Some(_) => return Ok(Begun::Conflict),
        }
        Ok(match &self.redis {
            Some(redis) => ask_replicas(redis, ticket, time + GRACE, until).await?,
            None => Begun::Run(ticket),
        })
    }

    fn enter(&self, key: Hash, fingerprint: Hash) -> Entered {
        let mut running = self.lock();
        if let Some(other) = running.get(&key) {
            let other = Running {
                fingerprint: other.fingerprint,
                done: other.done.clone(),
            };
            return Entered::Other(other);
        }
        let (sender, done) = watch::channel(());
        running.insert(key, Running { fingerprint, done });
        Entered::First(Ticket {
            key,
            fingerprint,
            owner: self.clone(),
            shared: None,
            _done: sender,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether another replica has done it or is at it.
async fn ask_replicas(
    redis: &Redis,
    mut ticket: Ticket,
    lease: Duration,
    until: Instant,
) -> Result<Begun, StoreError> {
    let owner = Uuid::new_v4().to_string();
    let mut pause = POLL.0;
    loop {
        match redis
            .begin(&ticket.key, &ticket.fingerprint, &owner, lease)
            .await?
        {
            None | Some(Told::Run) => {
                ticket.shared = Some(owner);
                return Ok(Begun::Run(ticket));
            }
            Some(Told::Conflict) => return Ok(Begun::Conflict),
            Some(Told::Replay(answer)) => return Ok(Begun::Replay(answer)),
            Some(Told::Running) if Instant::now() + pause > until => {
                return Ok(Begun::StillRunning);
            }
            Some(Told::Running) => sleep(pause).await,
        }
        pause = (pause * 2).min(POLL.1);
    }
}

enum Entered {
    First(Ticket),
    Other(Running),
}

impl Ticket {
    /// Keeps the answer. When this returns it is on disk and may be given.
    ///
    /// # Errors
    /// The store's; the answer may then be given, but will not be replayed.
    pub async fn finish(mut self, answer: Answer) -> Result<(), StoreError> {
        let record = Record {
            fingerprint: self.fingerprint,
            answer,
        };
        let (key, store) = (self.key, self.owner.store.clone());
        if let Some(redis) = self.owner.redis.clone() {
            let owner = self.shared.take().unwrap_or_default();
            redis.answer(&key, &record, &owner, store.keep()).await;
        }
        // Here too: while Redis is lost this replica still knows what it answered.
        store.remember(key, &record).await
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.owner.lock().remove(&self.key);
        if let (Some(redis), Some(owner)) = (&self.owner.redis, &self.shared) {
            redis.abandon(&self.key, owner);
        }
    }
}

impl Record {
    /// Fingerprint, status, body.
    pub fn to_row(&self) -> Vec<u8> {
        let status = self.answer.status.to_le_bytes();
        [self.fingerprint.as_slice(), &status, &self.answer.body].concat()
    }

    /// `None`: no row of this version.
    pub fn from_row(row: &[u8]) -> Option<Self> {
        let (fingerprint, rest) = row.split_first_chunk::<32>()?;
        let (status, body) = rest.split_first_chunk::<2>()?;
        let status = u16::from_le_bytes(*status);
        let answer = Answer {
            status,
            body: Bytes::copy_from_slice(body),
        };
        Some(Self {
            fingerprint: *fingerprint,
            answer,
        })
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tempfile::TempDir;

    use super::super::Config;
    use super::*;

    const WAIT: Duration = Duration::from_secs(30);

    fn open(folder: &TempDir, change: impl FnOnce(&mut Config)) -> Idempotency {
        let mut config = Config::new(folder.path().join("jobs.redb"));
        change(&mut config);
        Idempotency::new(Embedded::open(config).expect("the file is free"), None)
    }

    fn answer(text: &str) -> Answer {
        Answer {
            status: 206,
            body: Bytes::copy_from_slice(text.as_bytes()),
        }
    }

    async fn begin(keys: &Idempotency, tenant: &str, key: &str, body: u8) -> Begun {
        keys.begin(tenant, key, [body; 32], WAIT)
            .await
            .expect("the disk works")
    }

    async fn run(keys: &Idempotency, key: &str, text: &str) {
        match begin(keys, "t", key, 1).await {
            Begun::Run(ticket) => ticket.finish(answer(text)).await.expect("the disk works"),
            other => panic!("{key} is not new: {other:?}"),
        }
    }

    #[tokio::test]
    async fn the_same_body_gets_the_same_answer_and_another_body_a_conflict() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let keys = open(&folder, |_| {});
        run(&keys, "k", "first").await;
        let again = begin(&keys, "t", "k", 1).await;
        assert!(
            matches!(&again, Begun::Replay(found) if *found == answer("first")),
            "{again:?}"
        );
        assert!(matches!(begin(&keys, "t", "k", 2).await, Begun::Conflict));
        assert!(
            matches!(begin(&keys, "u", "k", 2).await, Begun::Run(_)),
            "another tenant's key"
        );
    }

    #[tokio::test]
    async fn an_answer_outlives_the_process() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let keys = open(&folder, |_| {});
        run(&keys, "k", "first").await;
        keys.store.close().await;
        drop(keys);
        let keys = open(&folder, |_| {});
        assert!(matches!(begin(&keys, "t", "k", 1).await, Begun::Replay(_)));
    }

    #[tokio::test]
    async fn many_at_once_do_the_work_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let keys = open(&folder, |_| {});
        let runs = Arc::new(AtomicU32::new(0));
        let requests: Vec<_> = (0..50)
            .map(|_| {
                let (keys, runs) = (keys.clone(), Arc::clone(&runs));
                tokio::spawn(async move {
                    match begin(&keys, "t", "k", 1).await {
                        Begun::Run(ticket) => {
                            runs.fetch_add(1, Ordering::Relaxed);
                            tokio::task::yield_now().await;
                            ticket.finish(answer("once")).await.expect("the disk works");
                            answer("once")
                        }
                        Begun::Replay(found) => found,
                        other => panic!("{other:?}"),
                    }
                })
            })
            .collect();
        for request in requests {
            assert_eq!(request.await.expect("no panic"), answer("once"));
        }
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_running_one_is_waited_for_but_not_for_ever_and_conflicts_at_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let keys = open(&folder, |_| {});
        let Begun::Run(ticket) = begin(&keys, "t", "k", 1).await else {
            panic!("it is new")
        };
        assert!(matches!(begin(&keys, "t", "k", 2).await, Begun::Conflict));
        let short = keys
            .begin("t", "k", [1; 32], Duration::from_millis(1))
            .await;
        assert!(matches!(short, Ok(Begun::StillRunning)), "{short:?}");
        let waiting = tokio::spawn({
            let keys = keys.clone();
            async move { begin(&keys, "t", "k", 1).await }
        });
        drop(ticket);
        let next = waiting.await.expect("no panic");
        assert!(
            matches!(next, Begun::Run(_)),
            "the next in line does it: {next:?}"
        );
    }

    #[tokio::test]
    async fn an_answer_is_forgotten_after_its_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let keys = open(&folder, |config| config.keep = Duration::ZERO);
        run(&keys, "k", "first").await;
        assert!(matches!(begin(&keys, "t", "k", 2).await, Begun::Run(_)));
        // The next change finds it expired and clears it away.
        run(&keys, "other", "second").await;
        run(&keys, "another", "third").await;
        assert!(
            keys.store.answers() <= 1,
            "{} answers",
            keys.store.answers()
        );
    }

    #[tokio::test]
    async fn too_many_answers_drop_the_oldest_and_count_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let keys = open(&folder, |config| config.limits.answers = 2);
        for key in ["a", "b", "c"] {
            run(&keys, key, "x").await;
            // Answers of the same millisecond have no order.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!((keys.store.answers(), keys.store.answers_evicted()), (2, 1));
        assert!(matches!(begin(&keys, "t", "a", 1).await, Begun::Run(_)));
        assert!(matches!(begin(&keys, "t", "c", 1).await, Begun::Replay(_)));
    }
}
