//! Single detectors' answers: cached, and shared while calls are in progress. Two requests with overlapping
//! sets of detectors share the overlap.
//!
//! Each request waits no longer than its own deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::answer::attested::AttestedAnswer;
use crate::ask::called::Called;
use crate::ask::registry::DetectorName;
use crate::config;
use crate::share::bounded::Bounded;
use crate::share::invalidations::{InvalidationPoint, Invalidations};
use crate::share::key::Key;
use crate::share::question::Question;
use crate::share::scope::Scope;
use crate::share::single_flight::SingleFlight;

/// The number of detectors' answers per whole answer in the cache.
const PER_ANSWER: usize = 4;
/// The maximum size of all of them together, in bytes.
const MOST_BYTES: usize = 256 << 20;
/// Answers with more findings are not cached.
const MAX_FINDINGS: usize = 1_000;

/// The answers of one orchestrator.
pub struct Answers {
    kept: Bounded<Key, CachedAnswer>,
    /// Calls in progress.
    pub under_way: SingleFlight<CallKey, Called>,
    invalidations: Arc<Invalidations>,
    ttl: Duration,
    stale: Duration,
}

struct CachedAnswer {
    answer: AttestedAnswer,
    stored: Instant,
    tenant: Arc<str>,
    bundle: Arc<str>,
    detector: DetectorName,
}

impl CachedAnswer {
    fn is_covered_by(&self, scope: &Scope) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        is(&scope.tenant, &self.tenant)
            && is(&scope.policy, &self.bundle)
            && scope
                .detector
                .as_ref()
                .is_none_or(|wanted| *wanted == self.detector)
    }
}

/// The key by which calls are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallKey {
    pub answer: Key,
    /// A request after an invalidation does not share the answer of one before it.
    pub since: InvalidationPoint,
}

impl Answers {
    pub fn new(config: &config::Cache, invalidations: Arc<Invalidations>) -> Self {
        Self {
            invalidations,
            kept: Bounded::new(config.entries.saturating_mul(PER_ANSWER), MOST_BYTES),
            under_way: SingleFlight::default(),
            ttl: config.ttl,
            stale: config.stale_if_error,
        }
    }

    /// A fresh answer and its age.
    pub fn fresh(&self, key: &Key) -> Option<(AttestedAnswer, Duration)> {
        self.younger(key, self.ttl)
    }

    /// An answer that may be stale, and its age.
    pub fn stale(&self, key: &Key) -> Option<(AttestedAnswer, Duration)> {
        self.younger(key, self.ttl + self.stale)
    }

    fn younger(&self, key: &Key, limit: Duration) -> Option<(AttestedAnswer, Duration)> {
        let kept = self.kept.get(key)?;
        let age = kept.stored.elapsed();
        (age < limit).then(|| (kept.answer.clone(), age))
    }

    /// Caches an answer of this detector, unless it was invalidated since the call began.
    pub fn keep(
        &self,
        key: Key,
        question: &Question,
        detector: &DetectorName,
        answer: &AttestedAnswer,
    ) {
        if answer.findings.len() > MAX_FINDINGS {
            return;
        }
        let kept = CachedAnswer {
            answer: answer.clone(),
            stored: Instant::now(),
            tenant: question.tenant.clone(),
            bundle: question.bundle.clone(),
            detector: detector.clone(),
        };
        let kept = Arc::new(kept);
        let bytes = size_of::<CachedAnswer>() + answer.bytes();
        self.kept.insert(key, kept.clone(), bytes);
        let covered = |scope: &Scope| kept.is_covered_by(scope);
        if self.invalidations.void(question.asked_at.since, covered) {
            self.kept.remove(&key);
        }
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.kept.clear();
    }

    /// Drops the answers in `scope`. Returns their number.
    pub fn invalidate(&self, scope: &Scope) -> usize {
        self.kept.retain(|kept| !kept.is_covered_by(scope))
    }
}
