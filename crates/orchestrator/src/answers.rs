//! Single detectors' answers: kept for a while, and shared while they are under way. Two requests
//! that ask overlapping sets of detectors share the overlap.
//!
//! A call that is under way is driven by whoever waits for it. One who leaves does not end it for
//! the others; when all have left, it is cancelled. Everybody waits no longer than their own
//! deadline.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use quick_cache::sync::Cache as QuickCache;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::answer::Answer;
use crate::cache::{Key, Scope};
use crate::call::Called;
use crate::config;
use crate::invalidations::{Invalidations, Since};
use crate::store::redis::cache::Marks;

/// Detectors' answers kept for each whole answer that the cache may hold.
const PER_ANSWER: usize = 4;

/// The answers of one orchestrator.
pub struct Answers {
    kept: QuickCache<Key, Arc<Kept>>,
    under_way: Arc<Mutex<HashMap<Name, Flight>>>,
    invalidations: Arc<Invalidations>,
    ttl: Duration,
    stale: Duration,
}

struct Kept {
    answer: Answer,
    stored: Instant,
    tenant: Arc<str>,
    bundle: Arc<str>,
    detector: String,
}

impl Kept {
    fn is_covered_by(&self, scope: &Scope) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        is(&scope.tenant, &self.tenant)
            && is(&scope.policy, &self.bundle)
            && is(&scope.detector, &self.detector)
    }
}

type Call = BoxFuture<'static, Called>;
/// Who asks after an invalidation does not share with who asked before.
type Name = (Key, Since);

struct Flight {
    id: u64,
    call: WeakShared<Call>,
}

/// What one fan-out asks for: everything that an answer depends on but the detector.
#[derive(Debug, Clone)]
pub struct Asked {
    pub tenant: Arc<str>,
    pub bundle: Arc<str>,
    /// Over tenant, policy and its version, content type and content.
    pub hash: Key,
    pub since: Since,
    /// Whether other replicas have invalidated something; `None`: there are none to hear of.
    pub marks: Option<Marks>,
}

impl Asked {
    /// The key of one detector's answer; `place` is its place in the plan, and `instance` changes
    /// with every change of the detector.
    pub fn key(&self, place: usize, instance: u64) -> Key {
        let mut hash = Sha256::new().chain_update(self.hash);
        hash.update(instance.to_le_bytes());
        if let Some(marks) = &self.marks {
            hash.update(marks.of(place));
        }
        hash.finalize().into()
    }
}

impl Answers {
    pub fn new(config: &config::Cache, invalidations: Arc<Invalidations>) -> Self {
        Self {
            invalidations,
            kept: QuickCache::new(config.entries.saturating_mul(PER_ANSWER).max(1)),
            under_way: Arc::default(),
            ttl: config.ttl,
            stale: config.stale_if_error,
        }
    }

    /// A fresh answer and its age.
    pub fn fresh(&self, key: &Key) -> Option<(Answer, Duration)> {
        self.younger(key, self.ttl)
    }

    /// An answer that may be too old, and its age.
    pub fn stale(&self, key: &Key) -> Option<(Answer, Duration)> {
        self.younger(key, self.ttl + self.stale)
    }

    fn younger(&self, key: &Key, limit: Duration) -> Option<(Answer, Duration)> {
        let kept = self.kept.get(key)?;
        let age = kept.stored.elapsed();
        (age < limit).then(|| (kept.answer.clone(), age))
    }

    /// Keeps an answer of this detector, unless something that covers it was invalidated since it
    /// was asked for.
    pub fn keep(&self, key: Key, asked: &Asked, detector: &str, answer: &Answer) {
        let kept = Kept {
            answer: answer.clone(),
            stored: Instant::now(),
            tenant: asked.tenant.clone(),
            bundle: asked.bundle.clone(),
            detector: detector.to_owned(),
        };
        let kept = Arc::new(kept);
        self.kept.insert(key, kept.clone());
        let covered = |scope: &Scope| kept.is_covered_by(scope);
        if self.invalidations.void(asked.since, covered) {
            self.kept.remove(&key);
        }
    }

    /// Joins the call of this key, or begins one. Says whether it joined.
    pub fn share<F>(&self, key: Name, begin: impl FnOnce() -> F) -> (Shared<Call>, bool)
    where
        F: Future<Output = Called> + Send + 'static,
    {
        let mut under_way = lock(&self.under_way);
        if let Some(call) = under_way.get(&key).and_then(|flight| flight.call.upgrade()) {
            return (call, true);
        }
        let id = next_id();
        let landed = Landed {
            under_way: self.under_way.clone(),
            key,
            id,
        };
        let work = begin();
        let call = async move {
            // Held from the start, so that a call that is dropped unasked is taken off, too.
            let _landed = landed;
            work.await
        };
        let call = call.boxed().shared();
        let weak = call.downgrade().expect("it was not polled yet");
        under_way.insert(key, Flight { id, call: weak });
        (call, false)
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.kept.clear();
    }

    /// Drops what `scope` names and says how many answers that were.
    pub fn invalidate(&self, scope: &Scope) -> usize {
        let before = self.kept.len();
        self.kept.retain(|_, kept| !kept.is_covered_by(scope));
        before.saturating_sub(self.kept.len())
    }
}

/// Takes the call off the board when it has ended, panicked or was dropped.
struct Landed {
    under_way: Arc<Mutex<HashMap<Name, Flight>>>,
    key: Name,
    id: u64,
}

impl Drop for Landed {
    fn drop(&mut self) {
        let mut under_way = lock(&self.under_way);
        if under_way
            .get(&self.key)
            .is_some_and(|flight| flight.id == self.id)
        {
            under_way.remove(&self.key);
        }
    }
}

fn lock(under_way: &Mutex<HashMap<Name, Flight>>) -> MutexGuard<'_, HashMap<Name, Flight>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next_id() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::failure::Failure;

    struct Counted {
        answers: Answers,
        begun: Arc<AtomicUsize>,
        ended: Arc<AtomicUsize>,
    }

    impl Counted {
        fn new() -> Self {
            Self {
                answers: Answers::new(&config::Config::default().cache, Arc::default()),
                begun: Arc::default(),
                ended: Arc::default(),
            }
        }

        fn share(&self, key: u8) -> (Shared<Call>, bool) {
            let (begun, ended) = (self.begun.clone(), self.ended.clone());
            self.answers
                .share(([key; 32], Since::default()), || async move {
                    begun.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    ended.fetch_add(1, Ordering::Relaxed);
                    Called::unasked(&"d".into(), Failure::Timeout)
                })
        }

        fn counts(&self) -> (usize, usize) {
            let load = |count: &AtomicUsize| count.load(Ordering::Relaxed);
            (load(&self.begun), load(&self.ended))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_share_one_call_even_when_the_first_leaves() {
        let counted = Counted::new();
        let (first, joined) = counted.share(1);
        assert!(!joined);
        let leader = tokio::spawn(first);
        tokio::task::yield_now().await;
        let others: Vec<_> = (0..49)
            .map(|_| {
                let (call, joined) = counted.share(1);
                assert!(joined);
                tokio::spawn(call)
            })
            .collect();
        tokio::task::yield_now().await;
        leader.abort();
        for other in others {
            let called = other.await.expect("it goes on without the first");
            assert_eq!(called.outcome, Err(Failure::Timeout));
        }
        assert_eq!(counted.counts(), (1, 1));
        assert!(lock(&counted.answers.under_way).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_nobody_waits_for_is_cancelled_and_taken_off() {
        let counted = Counted::new();
        let leader = tokio::spawn(counted.share(1).0);
        tokio::task::yield_now().await;
        leader.abort();
        drop(leader.await);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(counted.counts(), (1, 0));
        drop(counted.share(2));
        assert!(lock(&counted.answers.under_way).is_empty());
        let (again, joined) = counted.share(1);
        assert!(!joined);
        again.await;
        assert_eq!(counted.counts(), (2, 1));
    }

    #[test]
    fn keys_differ_by_what_is_asked_and_by_the_instance() {
        let asked = |byte| Asked {
            tenant: "t".into(),
            bundle: "b".into(),
            hash: [byte; 32],
            since: Since::default(),
            marks: None,
        };
        let keys = [asked(1).key(0, 1), asked(1).key(0, 2), asked(2).key(0, 1)];
        assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[1] != keys[2]);
    }
}
