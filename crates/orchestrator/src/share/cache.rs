//! The in-process cache of answers. Only answers with full coverage are cached; an expired one may be used,
//! marked stale, when no detector answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::config;
use crate::share::answered::Answered;
use crate::share::bounded::Bounded;
use crate::share::key::Key;
use crate::share::scope::Scope;

/// The maximum size of all answers together, in bytes.
const MOST_BYTES: usize = 256 << 20;

/// The source of an answer, as in `X-Cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    Hit,
    Miss,
    Bypass,
    Stale,
}

impl CacheStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
            Self::Stale => "stale",
        }
    }
}

/// The cache of one orchestrator.
pub struct Cache {
    entries: Bounded<Key, Entry>,
    ttl: Duration,
    stale: Duration,
    enabled: bool,
}

struct Entry {
    answered: Arc<Answered>,
    stored: Instant,
}

impl Cache {
    pub fn new(config: &config::Cache) -> Self {
        Self {
            entries: Bounded::new(config.entries, MOST_BYTES),
            ttl: config.ttl,
            stale: config.stale_if_error,
            enabled: config.enabled,
        }
    }

    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// A fresh answer and its age.
    pub fn fresh(&self, key: &Key) -> Option<(Arc<Answered>, Duration)> {
        self.younger(key, self.ttl)
    }

    /// An expired answer that may be used when no detector answers.
    pub fn stale(&self, key: &Key) -> Option<(Arc<Answered>, Duration)> {
        self.younger(key, self.ttl + self.stale)
    }

    fn younger(&self, key: &Key, limit: Duration) -> Option<(Arc<Answered>, Duration)> {
        if !self.enabled {
            return None;
        }
        let entry = self.entries.get(key)?;
        let age = entry.stored.elapsed();
        (age < limit).then(|| (entry.answered.clone(), age))
    }

    /// Caches an answer if its coverage is full.
    pub fn keep(&self, key: Key, answered: &Arc<Answered>) {
        if self.enabled && answered.is_complete() {
            let entry = Entry {
                answered: answered.clone(),
                stored: Instant::now(),
            };
            let bytes = answered.bytes();
            self.entries.insert(key, Arc::new(entry), bytes);
        }
    }

    /// Removes an answer.
    pub fn remove(&self, key: &Key) {
        self.entries.remove(key);
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.entries.clear();
    }

    /// Drops the answers in `scope`. Returns their number.
    pub fn invalidate(&self, scope: &Scope) -> usize {
        self.entries
            .retain(|entry| !scope.covers(&entry.answered.about))
    }
}
