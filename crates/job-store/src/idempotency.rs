//! Same tenant, same key, same body: the work is done once and all requests get the same answer.
//!
//! The first request gets a [`Ticket`] and does the work; the others wait for it. An answer is on disk before
//! it is returned and is replayed for a day. Running work is known only in memory: if the process dies between
//! the work and its answer, the next request does it again, once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

pub use super::record::{Hash, StoredResponse};
use super::record::{Record, key_hash};
use super::redis::{Redis, Told};
use super::{Embedded, StoreError};

/// The interval of checks whether another replica has an answer: from, doubling, to.
const POLL: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

/// The time that a replica may need beyond a request's time limit. After that it counts as dead, and another
/// one may run its work.
const GRACE: Duration = Duration::from_secs(5);

/// The action for a request with a key.
#[derive(Debug)]
pub enum Begun {
    /// Do the work, then [`Ticket::keep`].
    Run(Ticket),
    /// It was done before.
    Replay(StoredResponse),
    /// The key was used with another body.
    Conflict,
    /// Another request still works on it, and the waiting time is over.
    StillRunning,
}

/// The keys of all tenants on one embedded store, and in Redis. Clones share them.
#[derive(Debug, Clone)]
pub struct Idempotency {
    store: Embedded,
    redis: Option<Redis>,
    running: Arc<Mutex<HashMap<Hash, Running>>>,
}

/// The permission to do the work. Dropped without an answer, the key is free again and the next waiting request
/// does it.
pub struct Ticket {
    key: Hash,
    fingerprint: Hash,
    owner: Idempotency,
    /// This ticket's name in Redis. It may hold the key there even if the reply was lost.
    shared: Option<String>,
    /// Closed when the ticket is dropped: waiting requests check again. Set when the work is done and its
    /// answer cannot be stored.
    unkept: watch::Sender<bool>,
}

#[derive(Debug)]
struct Running {
    fingerprint: Hash,
    unkept: watch::Receiver<bool>,
}

impl Idempotency {
    /// With Redis the keys of all replicas; while it is unavailable those of this one.
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
    /// An error of the store: it is unknown whether the work was done before, so it must not be done now. Also
    /// while the work is done and its answer waits for the disk.
    pub async fn begin(
        &self,
        tenant: &str,
        key: &str,
        fingerprint: Hash,
        time: Duration,
    ) -> Result<Begun, StoreError> {
        let (key, until) = (key_hash(tenant, key), Instant::now() + time);
        loop {
            let mut unkept = match self.enter(key, fingerprint) {
                Entered::First(ticket) => return self.look_up(ticket, time, until).await,
                Entered::Other(running) if running.fingerprint != fingerprint => {
                    return Ok(Begun::Conflict);
                }
                Entered::Other(running) => running.unkept,
            };
            if *unkept.borrow() {
                return Err(StoreError::Disk(Arc::new(redb::Error::PreviousIo)));
            }
            if timeout_at(until, unkept.changed()).await.is_err() {
                return Ok(Begun::StillRunning);
            }
        }
    }

    /// With the ticket, no other request here can write this key, so the value that is read stays valid.
    async fn look_up(
        &self,
        ticket: Ticket,
        time: Duration,
        until: Instant,
    ) -> Result<Begun, StoreError> {
        let unread = match self.store.answer(ticket.key).await {
            Ok(None) => None,
            Ok(Some(record)) if record.fingerprint == ticket.fingerprint => {
                return Ok(Begun::Replay(record.answer));
            }
            Ok(Some(_)) => return Ok(Begun::Conflict),
            // Redis knows the same, while it is available.
            Err(error @ StoreError::Disk(_)) if self.redis.is_some() => Some(error),
            Err(error) => return Err(error),
        };
        let times = Times {
            lease: time + GRACE,
            until,
        };
        match &self.redis {
            Some(redis) => ask_replicas(redis, ticket, times, unread).await,
            None => Ok(Begun::Run(ticket)),
        }
    }

    fn enter(&self, key: Hash, fingerprint: Hash) -> Entered {
        let mut running = self.lock();
        if let Some(other) = running.get(&key) {
            let other = Running {
                fingerprint: other.fingerprint,
                unkept: other.unkept.clone(),
            };
            return Entered::Other(other);
        }
        let (sender, unkept) = watch::channel(false);
        let new = Running {
            fingerprint,
            unkept,
        };
        running.insert(key, new);
        Entered::First(Ticket {
            key,
            fingerprint,
            owner: self.clone(),
            shared: None,
            unkept: sender,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a key is held for the work, and the end of waiting for another replica's.
struct Times {
    lease: Duration,
    until: Instant,
}

/// Whether another replica has done the work or is doing it. Without Redis this one decides, unless its own
/// answers are `unread`.
async fn ask_replicas(
    redis: &Redis,
    mut ticket: Ticket,
    times: Times,
    unread: Option<StoreError>,
) -> Result<Begun, StoreError> {
    let owner = Uuid::new_v4().to_string();
    let mut pause = POLL.0;
    loop {
        let told = redis
            .begin(&ticket.key, &ticket.fingerprint, &owner, times.lease)
            .await?;
        if let (None, Some(unread)) = (&told, &unread) {
            return Err(unread.clone());
        }
        match told {
            None | Some(Told::Run) => {
                ticket.shared = Some(owner);
                return Ok(Begun::Run(ticket));
            }
            Some(Told::Conflict) => return Ok(Begun::Conflict),
            Some(Told::Replay(answer)) => return Ok(Begun::Replay(answer)),
            Some(Told::Running) if Instant::now() + pause > times.until => {
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
    /// Stores the answer. When this returns, it is on disk or in Redis, and may be returned to the client.
    ///
    /// # Errors
    /// An error of the store. The answer must not be returned, since a repeated request would repeat the work.
    /// [`Self::keep_at_last`] stores it as soon as possible.
    pub async fn keep(&mut self, answer: &StoredResponse) -> Result<(), StoreError> {
        let kept = self.try_to_keep(answer).await;
        if kept.is_err() {
            self.unkept.send_replace(true);
        }
        kept
    }

    async fn try_to_keep(&mut self, answer: &StoredResponse) -> Result<(), StoreError> {
        let record = Record {
            fingerprint: self.fingerprint,
            answer: answer.clone(),
        };
        let store = &self.owner.store;
        let mut shared = false;
        if let Some(redis) = &self.owner.redis {
            let owner = self.shared.as_deref().unwrap_or_default();
            shared = redis.answer(&self.key, &record, owner, store.keep()).await;
        }
        // Here too: while Redis is unavailable, this replica still knows its answers.
        match store.remember(self.key, &record).await {
            Err(error) if shared => {
                tracing::warn!(%error, "a response is stored only in Redis");
            }
            kept => kept?,
        }
        // The answer replaces the ticket.
        self.shared = None;
        Ok(())
    }

    /// Stores the answer once the disk works again. Until then, requests with this key get the error that
    /// nothing can be stored: the work has ended and must not be repeated.
    pub async fn keep_at_last(mut self, answer: StoredResponse) {
        while let Err(StoreError::Disk(_)) = self.keep(&answer).await {
            if self.owner.store.well().await.is_err() {
                return;
            }
        }
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

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
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

    fn answer(text: &str) -> StoredResponse {
        StoredResponse {
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
            Begun::Run(mut ticket) => ticket.keep(&answer(text)).await.expect("the disk works"),
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
    async fn many_concurrent_requests_do_the_work_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let keys = open(&folder, |_| {});
        let runs = Arc::new(AtomicU32::new(0));
        let requests: Vec<_> = (0..50)
            .map(|_| {
                let (keys, runs) = (keys.clone(), Arc::clone(&runs));
                tokio::spawn(async move {
                    match begin(&keys, "t", "k", 1).await {
                        Begun::Run(mut ticket) => {
                            runs.fetch_add(1, Ordering::Relaxed);
                            tokio::task::yield_now().await;
                            ticket.keep(&answer("once")).await.expect("the disk works");
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
    async fn a_running_request_is_waited_for_within_limits_and_conflicts_are_immediate() {
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
    async fn an_answer_that_cannot_be_stored_is_an_error_until_the_disk_works() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("jobs.redb");
        let keys = open(&folder, |config| {
            config.reopen_pause = (Duration::from_millis(5), Duration::from_millis(20));
        });
        let Begun::Run(mut ticket) = begin(&keys, "t", "k", 1).await else {
            panic!("it is new")
        };
        let waiting = tokio::spawn({
            let keys = keys.clone();
            async move { keys.begin("t", "k", [1; 32], WAIT).await }
        });
        let away = folder.path().join("away");
        std::fs::rename(&path, &away).expect("its own file");
        ticket.keep(&answer("first")).await.expect_err("no disk");
        let keeping = tokio::spawn(ticket.keep_at_last(answer("first")));
        let waited = waiting.await.expect("no panic");
        assert!(matches!(waited, Err(StoreError::Disk(_))), "{waited:?}");
        let again = keys.begin("t", "k", [1; 32], WAIT).await;
        assert!(matches!(again, Err(StoreError::Disk(_))), "{again:?}");
        std::fs::rename(&away, &path).expect("its own file");
        keeping.await.expect("no panic");
        let found = begin(&keys, "t", "k", 1).await;
        assert!(
            matches!(&found, Begun::Replay(it) if *it == answer("first")),
            "{found:?}"
        );
    }

    #[tokio::test]
    async fn an_answer_is_deleted_after_its_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let keys = open(&folder, |config| config.keep = Duration::ZERO);
        run(&keys, "k", "first").await;
        assert!(matches!(begin(&keys, "t", "k", 2).await, Begun::Run(_)));
        // The next change finds it expired and removes it.
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
