//! The store of answers: Redis if it is configured, this process while Redis is unavailable.
//!
//! While Redis is connected, only Redis is used, since another replica may have invalidated what this one still
//! holds. Single detectors' answers stay in this process; their keys contain the invalidation marks from Redis,
//! so they respect the invalidations of all replicas, too.

use std::sync::Arc;
use std::time::Duration;

use detector_api::orchestrate::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ask::registry::DetectorName;
use crate::config;
use crate::policies::EVERYBODY;
use crate::share::answered::{Answered, Timing};
use crate::share::answers::Answers;
use crate::share::cache::Cache;
use crate::share::invalidations::Invalidations;
use crate::share::key::Key;
use crate::share::question::QuestionTime;
use crate::share::scope::{About, Scope};
use job_store::redis::Redis;
use job_store::redis::cache::{self as shared, Marks, SharedCache};

/// An answer in Redis. Only complete ones are stored there.
#[derive(Serialize, Deserialize)]
struct StoredAnswer<'a> {
    partial: bool,
    verdict: Verdict,
    reasons: Vec<String>,
    #[serde(borrow)]
    shared: &'a RawValue,
}

/// The stored part of an answer.
#[derive(Default)]
pub struct StoredView {
    /// An answer and its age.
    pub found: Option<(Arc<Answered>, Duration)>,
    /// The key of a new answer in Redis; `None` without Redis, or while it is unavailable.
    pub marks: Option<Marks>,
}

/// All answers that one orchestrator keeps.
pub struct AnswerStore {
    whole: Cache,
    /// Single detectors' answers.
    pub single: Arc<Answers>,
    pub invalidations: Arc<Invalidations>,
    /// The part in Redis that all replicas share.
    redis: Option<SharedCache>,
    ttl: Duration,
    /// How long an expired answer may be used.
    limit: Duration,
}

impl AnswerStore {
    pub fn new(config: &config::Cache, redis: Option<Redis>) -> Self {
        let limit = config.ttl + config.stale_if_error;
        let invalidations = Arc::new(Invalidations::default());
        Self {
            whole: Cache::new(config),
            single: Arc::new(Answers::new(config, invalidations.clone())),
            invalidations,
            redis: redis.map(|redis| SharedCache::new(redis, limit)),
            ttl: config.ttl,
            limit,
        }
    }

    /// Whether caching is enabled.
    pub fn is_enabled(&self) -> bool {
        self.whole.is_enabled()
    }

    /// Whether other replicas have answers, too.
    pub fn is_shared(&self) -> bool {
        self.redis.is_some()
    }

    /// A fresh answer.
    pub async fn fresh(&self, key: &Key, about: &About) -> StoredView {
        match self.ask_redis(key, about, self.ttl).await {
            Some(looked) => looked,
            None => StoredView {
                found: self.whole.fresh(key),
                marks: None,
            },
        }
    }

    /// An expired answer that may be used when no detector answers, and its age.
    pub async fn stale(&self, key: &Key, about: &About) -> Option<(Arc<Answered>, Duration)> {
        match self.ask_redis(key, about, self.limit).await {
            Some(looked) => looked.found,
            None => self.whole.stale(key),
        }
    }

    /// Stores an answer if its coverage is full and it was not invalidated `since`; for other replicas if Redis
    /// was available when it was asked for.
    pub async fn keep(&self, key: Key, answered: &Arc<Answered>, asked_at: &QuestionTime) {
        self.whole.keep(key, answered);
        let covered = |scope: &Scope| scope.covers(&answered.about);
        if self.invalidations.void(asked_at.since, covered) {
            self.whole.remove(&key);
            return;
        }
        let shared = self.redis.as_ref().zip(asked_at.marks.as_ref());
        let Some((redis, marks)) = shared.filter(|_| self.keeps(answered)) else {
            return;
        };
        if let Some(bytes) = encode(answered) {
            redis.put(&key, marks, &bytes).await;
        }
    }

    /// Drops the answers in `scope` in all replicas. Returns their number in this one.
    pub async fn invalidate(&self, scope: &Scope) -> usize {
        self.invalidations.add(scope.clone());
        let dropped = self.whole.invalidate(scope);
        self.single.invalidate(scope);
        if let Some(redis) = &self.redis {
            let scope = shared::Scope {
                tenant: scope.tenant.as_deref(),
                policy: scope.policy.as_deref(),
                detector: scope.detector.as_ref().map(DetectorName::as_str),
            };
            redis.invalidate(scope).await;
        }
        dropped
    }

    /// Drops answers made under a policy that has changed; `*` means all tenants.
    pub async fn forget_policy(&self, tenant: &str, bundle: &str) {
        let scope = Scope {
            tenant: (tenant != EVERYBODY).then(|| tenant.to_owned()),
            policy: Some(bundle.to_owned()),
            detector: None,
        };
        self.invalidate(&scope).await;
    }

    fn keeps(&self, answered: &Answered) -> bool {
        self.is_enabled() && answered.is_complete()
    }

    /// `None` without Redis, or while it is unavailable.
    async fn ask_redis(&self, key: &Key, about: &About, limit: Duration) -> Option<StoredView> {
        let redis = self.redis.as_ref()?;
        let names = about.detectors.iter();
        let names: Vec<Arc<str>> = names.map(|name| name.text().clone()).collect();
        let about = shared::About {
            tenant: &about.tenant,
            policy: &about.bundle,
            detectors: &names,
        };
        let found = redis.get(key, about).await?;
        if found.changed {
            // Stored for times without Redis, when invalidations of other replicas are unknown.
            self.whole.clear();
            self.single.clear();
        }
        let young = found.entry.filter(|(_, age)| *age < limit);
        Some(StoredView {
            // An entry that another version wrote is ignored.
            found: young.and_then(|(bytes, age)| Some((Arc::new(decode(&bytes)?), age))),
            marks: Some(found.marks),
        })
    }
}

fn encode(answered: &Answered) -> Option<Vec<u8>> {
    let kept = StoredAnswer {
        partial: answered.partial,
        verdict: answered.verdict,
        reasons: answered.reasons.clone(),
        shared: serde_json::from_slice(&answered.shared).ok()?,
    };
    serde_json::to_vec(&kept).ok()
}

fn decode(bytes: &[u8]) -> Option<Answered> {
    let kept: StoredAnswer = serde_json::from_slice(bytes).ok()?;
    Some(Answered {
        // It is not kept in this process; in Redis, its key contains its scope.
        about: About::default(),
        error: None,
        partial: kept.partial,
        verdict: kept.verdict,
        reasons: kept.reasons,
        timeline: Vec::new(),
        timing: Timing::default(),
        resume_token: None,
        complete: true,
        fallback: false,
        shared: kept.shared.get().as_bytes().to_vec().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_answer_is_restored_unchanged() {
        let answered = Answered {
            about: About::default(),
            error: None,
            partial: false,
            verdict: Verdict::Block,
            reasons: vec!["a: found \"x\"".to_owned()],
            timeline: Vec::new(),
            timing: Timing::default(),
            resume_token: None,
            complete: true,
            fallback: false,
            shared: br#"{"coverage_achieved":1.0,"detector_results":[]}"#.as_slice().into(),
        };
        let back = decode(&encode(&answered).expect("it is JSON")).expect("the same version");
        assert_eq!(back.shared, answered.shared);
        assert_eq!(
            (back.verdict, back.reasons),
            (answered.verdict, answered.reasons)
        );
        assert!(decode(b"{}").is_none() && decode(b"").is_none());
    }
}
