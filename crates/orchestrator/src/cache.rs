//! Answers kept in process. Only answers with full coverage are kept; an expired one may stand in,
//! marked stale, when nobody answers.

use std::sync::Arc;
use std::time::Duration;

use detector_api::detect::ContentType;
use quick_cache::sync::Cache as QuickCache;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::config;
use crate::run::{About, Answered};

/// SHA-256 of everything that an answer depends on.
pub type Key = [u8; 32];

/// How an answer came about, as `X-Cache` says it.
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

/// What an answer depends on.
pub struct Question<'a> {
    pub content: &'a str,
    pub content_type: ContentType,
    pub detectors: &'a [String],
    pub required: &'a [String],
    pub bundle: &'a str,
    pub version: u64,
    pub tenant: &'a str,
}

impl Question<'_> {
    /// Each part is preceded by its length, so that no two questions look the same.
    pub fn key(&self) -> Key {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(self.tenant.as_bytes());
        part(self.bundle.as_bytes());
        part(&self.version.to_le_bytes());
        part(&[self.content_type as u8]);
        for names in [self.detectors, self.required] {
            part(&(names.len() as u64).to_le_bytes());
            for name in names {
                part(name.as_bytes());
            }
        }
        part(self.content.as_bytes());
        hash.finalize().into()
    }
}

/// The cache of one orchestrator.
pub struct Cache {
    entries: QuickCache<Key, Arc<Entry>>,
    ttl: Duration,
    stale: Duration,
    enabled: bool,
}

struct Entry {
    answered: Arc<Answered>,
    stored: Instant,
}

/// What to drop at once; what is absent does not narrow it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    pub tenant: Option<String>,
    pub policy: Option<String>,
    pub detector: Option<String>,
}

impl Scope {
    fn covers(&self, about: &About) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        is(&self.tenant, &about.tenant)
            && is(&self.policy, &about.bundle)
            && self
                .detector
                .as_ref()
                .is_none_or(|wanted| about.detectors.contains(wanted))
    }
}

impl Cache {
    pub fn new(config: &config::Cache) -> Self {
        Self {
            entries: QuickCache::new(config.entries.max(1)),
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

    /// An answer that has expired, but may stand in when nobody answers.
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

    /// Keeps an answer if its coverage is full.
    pub fn keep(&self, key: Key, answered: &Arc<Answered>) {
        if self.enabled && answered.is_complete() {
            let entry = Entry {
                answered: answered.clone(),
                stored: Instant::now(),
            };
            self.entries.insert(key, Arc::new(entry));
        }
    }

    /// Drops what `scope` names and says how many answers that were.
    pub fn invalidate(&self, scope: &Scope) -> usize {
        let before = self.entries.len();
        self.entries
            .retain(|_, entry| !scope.covers(&entry.answered.about));
        before.saturating_sub(self.entries.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question<'a>(content: &'a str, tenant: &'a str, detectors: &'a [String]) -> Question<'a> {
        Question {
            content,
            content_type: ContentType::Text,
            detectors,
            required: &[],
            bundle: "default",
            version: 0,
            tenant,
        }
    }

    #[test]
    fn different_questions_have_different_keys() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (one, two, joined) = (names(&["ab", "c"]), names(&["a", "bc"]), names(&["abc"]));
        let keys = [
            question("x", "t", &one).key(),
            question("x", "t", &two).key(),
            question("x", "t", &joined).key(),
            question("x", "u", &one).key(),
            question("y", "t", &one).key(),
            Question {
                version: 1,
                ..question("x", "t", &one)
            }
            .key(),
            Question {
                required: &one,
                ..question("x", "t", &one)
            }
            .key(),
            Question {
                content_type: ContentType::Code,
                ..question("x", "t", &one)
            }
            .key(),
        ];
        let distinct: std::collections::HashSet<Key> = keys.into_iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
