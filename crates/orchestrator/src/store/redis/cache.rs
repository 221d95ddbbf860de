//! Answers that all replicas share. The caller's own cache is asked first and instead.
//!
//! Who asks for an entry is told the marks of every scope that it can be invalidated by, and
//! whatever is made for that question is kept under these marks; an invalidation changes one mark,
//! however many entries it voids, those of calls under way among them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Component, Redis, hex, scripts};
use crate::store::idempotency::Hash;
use crate::store::seal::Place;

/// Invalidations that wait for Redis; past it everything is invalidated once it is back.
const WAITING: usize = 64;

/// Scopes that have a mark; clients can name any.
const MARKS: usize = 10_000;

/// What an entry is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub tenant: &'a str,
    pub policy: &'a str,
    pub detectors: &'a [Arc<str>],
}

/// What to invalidate; what is absent does not narrow it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    pub tenant: Option<&'a str>,
    pub policy: Option<&'a str>,
    pub detector: Option<&'a str>,
}

/// What Redis says to a question.
#[derive(Debug)]
pub struct Found {
    /// What an answer to it must be put there under.
    pub marks: Marks,
    /// An entry and its age: whether it is fresh or stale is the caller's to say.
    pub entry: Option<(Bytes, Duration)>,
    /// Somebody invalidated something since the last question: what is kept in process may be
    /// void.
    pub changed: bool,
}

/// The state of everything that an answer can be invalidated by, as it was when the answer was
/// asked for. What was made under other marks is void.
#[derive(Debug, Clone)]
pub struct Marks {
    /// When the marks began; then those of the scopes.
    marks: Arc<[String]>,
    /// As a JSON array.
    scopes: Arc<[u8]>,
}

/// The part of the cache that is in Redis. Clones share it.
#[derive(Debug, Clone)]
pub struct SharedCache {
    redis: Redis,
    /// How long an entry is kept, fresh and stale.
    keep: Duration,
    /// Invalidations that Redis has not heard of.
    waiting: Arc<Mutex<Vec<String>>>,
    /// Of the marks, as last seen.
    version: Arc<Mutex<Option<String>>>,
}

impl SharedCache {
    pub fn new(redis: Redis, keep: Duration) -> Self {
        Self {
            redis,
            keep,
            waiting: Arc::default(),
            version: Arc::default(),
        }
    }

    /// The entry of a question. `None`: Redis is lost.
    pub async fn get(&self, key: &[u8; 32], about: About<'_>) -> Option<Found> {
        if !self.catch_up().await {
            return None;
        }
        let (name, keep_ms) = (hex(key), self.keep.as_millis().to_string());
        let scopes = serde_json::to_vec(&scopes(about)).expect("strings are always valid JSON");
        let arguments = [name.as_bytes(), keep_ms.as_bytes(), &scopes];
        let found: (String, Vec<String>, Option<Bytes>, Option<u64>) = self
            .redis
            .ask(Component::Cache, &scripts::CACHE_GET, &arguments)
            .await?;
        let (version, marks, sealed, age_ms) = found;
        let seal = &self.redis.inner.seal;
        // What cannot be opened is made anew.
        let open = |(sealed, age_ms): (Bytes, u64)| {
            let body = seal.open(Place::Cached(key), &sealed).ok()?;
            Some((body, Duration::from_millis(age_ms)))
        };
        Some(Found {
            marks: Marks {
                marks: marks.into(),
                scopes: scopes.into(),
            },
            entry: sealed.zip(age_ms).and_then(open),
            changed: self.saw(version),
        })
    }

    /// Keeps an entry that was asked for under these marks, unless it is void by now; lost with
    /// Redis.
    pub async fn put(&self, key: &[u8; 32], marks: &Marks, body: &[u8]) {
        let body = self.redis.inner.seal.seal(Place::Cached(key), body);
        let (key, keep_ms) = (hex(key), self.keep.as_millis().to_string());
        let joined = marks.marks.join(",");
        let arguments = [
            key.as_bytes(),
            &body,
            keep_ms.as_bytes(),
            joined.as_bytes(),
            &*marks.scopes,
        ];
        let _: Option<u8> = self
            .redis
            .ask(Component::Cache, &scripts::CACHE_PUT, &arguments)
            .await;
    }

    /// Whether the marks have changed since they were last seen.
    fn saw(&self, version: String) -> bool {
        let mut seen = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = seen.as_ref().is_some_and(|seen| *seen != version);
        *seen = Some(version);
        changed
    }

    /// Voids what `scope` names in all replicas; while Redis is lost, before it is used again.
    pub async fn invalidate(&self, scope: Scope<'_>) {
        {
            let mut waiting = self.lock();
            if waiting.len() >= WAITING {
                *waiting = vec![name(None, None, None)];
            } else {
                waiting.push(name(scope.tenant, scope.policy, scope.detector));
            }
        }
        self.catch_up().await;
    }

    /// Tells Redis what it missed. False: it still does not know.
    async fn catch_up(&self) -> bool {
        loop {
            let Some(next) = self.lock().first().cloned() else {
                return true;
            };
            let keep_ms = self.keep.as_millis().to_string();
            let most = MARKS.to_string();
            let arguments = [next.as_bytes(), keep_ms.as_bytes(), most.as_bytes()];
            let told = self
                .redis
                .ask(Component::Cache, &scripts::CACHE_INVALIDATE, &arguments);
            if told.await != Some(1_u8) {
                return false;
            }
            let mut waiting = self.lock();
            if let Some(place) = waiting.iter().position(|scope| *scope == next) {
                waiting.remove(place);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Marks {
    /// What the answer of one detector alone depends on; `place` is its place among those that
    /// were asked about.
    pub fn of(&self, place: usize) -> Hash {
        // Four times all detectors and each of them.
        let each = (self.marks.len() - 1) / 4;
        let of_scope = |turn: usize| [1 + turn * each, 2 + turn * each + place];
        let places = (0..4).flat_map(of_scope);
        let marks = std::iter::once(0)
            .chain(places)
            .map(|place| self.marks.get(place));
        digest(marks.flatten())
    }

    /// What the whole answer depends on.
    pub fn all(&self) -> Hash {
        digest(self.marks.iter())
    }
}

fn digest<'a>(marks: impl Iterator<Item = &'a String>) -> Hash {
    let mut hash = Sha256::new();
    for mark in marks {
        hash.update(mark);
        // Marks are digits.
        hash.update(b",");
    }
    hash.finalize().into()
}

/// Every scope that covers an entry.
fn scopes(about: About) -> Vec<String> {
    let detectors = about.detectors.iter().map(|name| Some(&**name));
    let detectors: Vec<_> = [None].into_iter().chain(detectors).collect();
    let mut scopes = Vec::new();
    for tenant in [None, Some(about.tenant)] {
        for policy in [None, Some(about.policy)] {
            scopes.extend(
                detectors
                    .iter()
                    .map(|detector| name(tenant, policy, *detector)),
            );
        }
    }
    scopes
}

/// The field of a scope's mark: a JSON array, so that no two scopes look the same.
fn name(tenant: Option<&str>, policy: Option<&str>, detector: Option<&str>) -> String {
    serde_json::to_string(&(tenant, policy, detector)).expect("strings are always valid JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detectors_answer_depends_on_its_own_scopes_and_on_those_of_all() {
        let detectors = ["a", "b", "c"].map(Arc::from);
        let about = About {
            tenant: "t",
            policy: "p",
            detectors: &detectors,
        };
        let scopes = scopes(about);
        let marks = |changed: Option<usize>| {
            let mut marks = vec!["0".to_owned(); scopes.len() + 1];
            if let Some(place) = changed {
                marks[place] = "1".to_owned();
            }
            Marks {
                marks: marks.into(),
                scopes: Arc::default(),
            }
        };
        let before = marks(None);
        for (place, scope) in scopes.iter().enumerate() {
            let after = marks(Some(place + 1));
            for (detector, name) in detectors.iter().enumerate() {
                let concerned = scope.contains(&format!("\"{name}\"")) || scope.ends_with("null]");
                assert_eq!(
                    before.of(detector) != after.of(detector),
                    concerned,
                    "{scope} and {name}"
                );
            }
            assert_ne!(before.all(), after.all(), "{scope}");
        }
        assert_ne!(before.of(0), marks(Some(0)).of(0), "all began anew");
    }
}
