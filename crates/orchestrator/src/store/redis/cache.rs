//! Answers that all replicas share. The caller's own cache is asked first and instead.
//!
//! An entry remembers the marks of every scope that it can be invalidated by; an invalidation
//! changes one mark, however many entries it voids.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::{Component, Maybe, Redis, hex, scripts};

/// Invalidations that wait for Redis; past it everything is invalidated once it is back.
const WAITING: usize = 64;

/// What an entry is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub tenant: &'a str,
    pub policy: &'a str,
    pub detectors: &'a [String],
}

/// What to invalidate; what is absent does not narrow it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    pub tenant: Option<&'a str>,
    pub policy: Option<&'a str>,
    pub detector: Option<&'a str>,
}

/// The part of the cache that is in Redis. Clones share it.
#[derive(Debug, Clone)]
pub struct SharedCache {
    redis: Redis,
    /// How long an entry is kept, fresh and stale.
    keep: Duration,
    /// Invalidations that Redis has not heard of.
    waiting: Arc<Mutex<Vec<String>>>,
}

impl SharedCache {
    pub fn new(redis: Redis, keep: Duration) -> Self {
        Self {
            redis,
            keep,
            waiting: Arc::default(),
        }
    }

    /// An entry and its age: whether it is fresh or stale is the caller's to say. `None`: Redis
    /// is lost.
    pub async fn get(&self, key: &[u8; 32]) -> Option<Option<(Bytes, Duration)>> {
        if !self.catch_up().await {
            return None;
        }
        let key = hex(key);
        let arguments = [key.as_bytes()];
        let found = self
            .redis
            .ask(Component::Cache, &scripts::CACHE_GET, &arguments);
        let Maybe(found): Maybe<(Bytes, u64)> = found.await?;
        Some(found.map(|(body, age_ms)| (body, Duration::from_millis(age_ms))))
    }

    /// Keeps an entry; lost with Redis.
    pub async fn put(&self, key: &[u8; 32], about: About<'_>, body: &[u8]) {
        let scopes = serde_json::to_vec(&scopes(about)).expect("strings are always valid JSON");
        let (key, keep_ms) = (hex(key), self.keep.as_millis().to_string());
        let arguments = [key.as_bytes(), body, keep_ms.as_bytes(), scopes.as_slice()];
        let _: Option<u8> = self
            .redis
            .ask(Component::Cache, &scripts::CACHE_PUT, &arguments)
            .await;
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
            // A mark that is forgotten before an entry would make the entry valid again.
            let keep_ms = (self.keep * 2).as_millis().to_string();
            let arguments = [next.as_bytes(), keep_ms.as_bytes()];
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

/// Every scope that covers an entry.
fn scopes(about: About) -> Vec<String> {
    let detectors = about.detectors.iter().map(|name| Some(name.as_str()));
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
