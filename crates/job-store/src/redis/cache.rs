//! The cache of answers that all replicas share.
//!
//! A query for an entry returns the marks of every scope that can invalidate it, and the answer to that query
//! is stored under these marks. An invalidation changes one mark, however many entries it invalidates,
//! including those of calls in progress.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Component, Redis, hex, scripts};
use crate::record::Hash;
use crate::seal::Place;

/// Maximum number of invalidations that wait for Redis; beyond it, everything is invalidated once it is
/// available again.
const WAITING: usize = 64;

/// Maximum number of scopes with a mark, since clients can choose any name.
const MARKS: usize = 10_000;

/// The scopes of an entry.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub tenant: &'a str,
    pub policy: &'a str,
    pub detectors: &'a [Arc<str>],
}

/// The entries to invalidate; an absent field does not restrict them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    pub tenant: Option<&'a str>,
    pub policy: Option<&'a str>,
    pub detector: Option<&'a str>,
}

/// Redis's reply to a query.
#[derive(Debug)]
pub struct Found {
    /// The marks under which its answer must be stored.
    pub marks: Marks,
    /// An entry and its age: the caller decides whether it is fresh or stale.
    pub entry: Option<(Bytes, Duration)>,
    /// Something was invalidated since the last query: entries in this process may be invalid.
    pub changed: bool,
}

/// The state of everything that can invalidate an answer, at the time of the query. An answer under other
/// marks is invalid.
#[derive(Debug, Clone)]
pub struct Marks {
    /// The start of the marks, followed by those of the scopes.
    marks: Arc<[String]>,
    /// As a JSON array.
    scopes: Arc<[u8]>,
}

/// The part of the cache that is in Redis. Clones share it.
#[derive(Debug, Clone)]
pub struct SharedCache {
    redis: Redis,
    /// The retention of an entry, fresh and stale.
    keep: Duration,
    /// Invalidations that Redis has not received.
    waiting: Arc<Mutex<Vec<String>>>,
    /// The last seen state of the marks.
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

    /// The entry of a query. `None` while Redis is unavailable.
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
        // An entry that cannot be opened counts as missing.
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

    /// Stores an entry that was requested under these marks, unless it is invalid by now. Does nothing without
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

    /// Invalidates `scope` in all replicas; while Redis is unavailable, before it is used again.
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

    /// Sends the missed invalidations to Redis. False when this failed.
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
    /// The marks of one detector's answer; `place` is its place in the query.
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

    /// The marks of the whole answer.
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

/// The field of a scope's mark: a JSON array, so that no two scopes have the same encoding.
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
