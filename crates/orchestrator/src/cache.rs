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
pub struct Question<'a, D, R> {
    /// What is asked of every detector, [`Asked::hash`](crate::answers::Asked).
    pub asked: &'a Key,
    pub detectors: D,
    pub required: R,
}

/// SHA-256 of what every detector is asked: whose question it is, under which policy, and about
/// what.
pub fn ask(
    tenant: &str,
    (bundle, version, digest): (&str, u64, &Key),
    (content_type, content): (ContentType, &str),
) -> Key {
    let mut hash = Sha256::new();
    part(&mut hash, tenant.as_bytes());
    part(&mut hash, bundle.as_bytes());
    part(&mut hash, &version.to_le_bytes());
    part(&mut hash, digest);
    part(&mut hash, &[content_type as u8]);
    part(&mut hash, content.as_bytes());
    hash.finalize().into()
}

/// Each part is preceded by its length, so that no two questions look the same.
fn part(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

impl<'a, D, R> Question<'_, D, R>
where
    D: ExactSizeIterator<Item = &'a str>,
    R: ExactSizeIterator<Item = &'a str>,
{
    pub fn key(self) -> Key {
        let mut hash = Sha256::new();
        part(&mut hash, self.asked);
        all(&mut hash, self.detectors);
        all(&mut hash, self.required);
        hash.finalize().into()
    }
}

fn all<'a>(hash: &mut Sha256, names: impl ExactSizeIterator<Item = &'a str>) {
    part(hash, &(names.len() as u64).to_le_bytes());
    for name in names {
        part(hash, name.as_bytes());
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
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    pub tenant: Option<String>,
    pub policy: Option<String>,
    pub detector: Option<String>,
}

impl Scope {
    pub fn covers(&self, about: &About) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        is(&self.tenant, &about.tenant)
            && is(&self.policy, &about.bundle)
            && self
                .detector
                .as_ref()
                .is_none_or(|wanted| about.detectors.iter().any(|name| **name == **wanted))
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

    /// Takes an answer back.
    pub fn remove(&self, key: &Key) {
        self.entries.remove(key);
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.entries.clear();
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

    #[test]
    fn different_questions_have_different_keys() {
        let (one, two, joined) = (&["ab", "c"][..], &["a", "bc"][..], &["abc"][..]);
        let text = (ContentType::Text, "x");
        let asked = [
            ask("t", ("default", 0, &[0; 32]), text),
            ask("t", ("default", 0, &[1; 32]), text),
            ask("u", ("default", 0, &[0; 32]), text),
            ask("t", ("other", 0, &[0; 32]), text),
            ask("t", ("default", 1, &[0; 32]), text),
            ask("t", ("default", 0, &[0; 32]), (ContentType::Code, "x")),
            ask("t", ("default", 0, &[0; 32]), (ContentType::Text, "y")),
            ask("td", ("efault", 0, &[0; 32]), text),
        ];
        let key = |asked, detectors: &[&str], required: &[&str]| {
            let question = Question {
                asked,
                detectors: detectors.iter().copied(),
                required: required.iter().copied(),
            };
            question.key()
        };
        let mut keys = vec![
            key(&asked[0], two, &[]),
            key(&asked[0], joined, &[]),
            key(&asked[0], one, one),
        ];
        keys.extend(asked.iter().map(|asked| key(asked, one, &[])));
        let distinct: std::collections::HashSet<&Key> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
