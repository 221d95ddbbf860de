//! Answers wherever they are kept: in Redis where there is one, in this process while it is lost.
//!
//! With Redis connected only Redis is asked: another replica may have invalidated what this one
//! still holds. Single detectors' answers stay in process; they are kept under the marks that
//! Redis told with the question, and so obey the invalidations of all replicas, too.

use std::sync::Arc;
use std::time::Duration;

use detector_api::orchestrate::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::app::App;
use crate::cache::{Key, Scope};
use crate::invalidations::Since;
use crate::policies::EVERYBODY;
use crate::run::{About, Answered, Timing};
use crate::store::redis::cache::{self as shared, Marks};

/// An answer on its way between replicas. Only complete ones travel.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    tenant: String,
    bundle: Arc<str>,
    detectors: Vec<Arc<str>>,
    partial: bool,
    verdict: Verdict,
    reasons: Vec<String>,
    #[serde(borrow)]
    shared: &'a RawValue,
}

/// What is kept of an answer.
#[derive(Default)]
pub struct Looked {
    /// An answer and its age.
    pub found: Option<(Arc<Answered>, Duration)>,
    /// What a new answer has to be kept under in Redis; `None`: there is no Redis, or it is lost.
    pub marks: Option<Marks>,
}

impl App {
    /// A fresh answer.
    pub async fn fresh(&self, key: &Key, about: &About) -> Looked {
        match self.ask_redis(key, about, self.config.cache.ttl).await {
            Some(looked) => looked,
            None => Looked {
                found: self.cache.fresh(key),
                marks: None,
            },
        }
    }

    /// An answer that has expired, but may stand in when nobody answers, and its age.
    pub async fn stale(&self, key: &Key, about: &About) -> Option<(Arc<Answered>, Duration)> {
        let cache = &self.config.cache;
        let limit = cache.ttl + cache.stale_if_error;
        match self.ask_redis(key, about, limit).await {
            Some(looked) => looked.found,
            None => self.cache.stale(key),
        }
    }

    /// Keeps an answer if its coverage is full and nothing that covers it was invalidated `since`;
    /// for others if it was asked for with Redis at hand.
    pub async fn keep(
        &self,
        key: Key,
        answered: &Arc<Answered>,
        (since, marks): (Since, Option<&Marks>),
    ) {
        self.cache.keep(key, answered);
        let covered = |scope: &Scope| scope.covers(&answered.about);
        if self.invalidations.void(since, covered) {
            self.cache.remove(&key);
            return;
        }
        let shared = self.shared_cache.as_ref().zip(marks);
        let Some((redis, marks)) = shared.filter(|_| self.keeps(answered)) else {
            return;
        };
        if let Some(bytes) = encode(answered) {
            redis.put(&key, marks, &bytes).await;
        }
    }

    /// Drops what `scope` names, in all replicas, and says how many answers that were in this one.
    pub async fn invalidate(&self, scope: &Scope) -> usize {
        self.invalidations.add(scope.clone());
        let dropped = self.cache.invalidate(scope);
        self.answers.invalidate(scope);
        if let Some(redis) = &self.shared_cache {
            let scope = shared::Scope {
                tenant: scope.tenant.as_deref(),
                policy: scope.policy.as_deref(),
                detector: scope.detector.as_deref(),
            };
            redis.invalidate(scope).await;
        }
        dropped
    }

    /// Drops answers made under a policy that is no longer the same; `*` stands for all tenants.
    pub async fn forget_policy(&self, tenant: &str, bundle: &str) {
        let scope = Scope {
            tenant: (tenant != EVERYBODY).then(|| tenant.to_owned()),
            policy: Some(bundle.to_owned()),
            detector: None,
        };
        self.invalidate(&scope).await;
    }

    fn keeps(&self, answered: &Answered) -> bool {
        self.cache.is_enabled() && answered.is_complete()
    }

    /// `None`: there is no Redis to ask, or it is lost.
    async fn ask_redis(&self, key: &Key, about: &About, limit: Duration) -> Option<Looked> {
        let redis = self.shared_cache.as_ref()?;
        let about = shared::About {
            tenant: &about.tenant,
            policy: &about.bundle,
            detectors: &about.detectors,
        };
        let found = redis.get(key, about).await?;
        if found.changed {
            // Kept for the time without Redis, when nobody tells what others have invalidated.
            self.cache.clear();
            self.answers.clear();
        }
        let young = found.entry.filter(|(_, age)| *age < limit);
        Some(Looked {
            // What another version wrote is no answer.
            found: young.and_then(|(bytes, age)| Some((Arc::new(decode(&bytes)?), age))),
            marks: Some(found.marks),
        })
    }
}

fn encode(answered: &Answered) -> Option<Vec<u8>> {
    let kept = Kept {
        tenant: answered.about.tenant.clone(),
        bundle: answered.about.bundle.clone(),
        detectors: answered.about.detectors.clone(),
        partial: answered.partial,
        verdict: answered.verdict,
        reasons: answered.reasons.clone(),
        shared: serde_json::from_slice(&answered.shared).ok()?,
    };
    serde_json::to_vec(&kept).ok()
}

fn decode(bytes: &[u8]) -> Option<Answered> {
    let kept: Kept = serde_json::from_slice(bytes).ok()?;
    Some(Answered {
        about: About {
            tenant: kept.tenant,
            bundle: kept.bundle,
            detectors: kept.detectors,
        },
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
    fn an_answer_comes_back_as_it_was() {
        let answered = Answered {
            about: About {
                tenant: "t".to_owned(),
                bundle: "default".into(),
                detectors: vec!["a".into()],
            },
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
            (back.verdict, back.reasons, back.about.detectors),
            (answered.verdict, answered.reasons, answered.about.detectors)
        );
        assert!(decode(b"{}").is_none() && decode(b"").is_none());
    }
}
