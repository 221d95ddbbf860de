//! A request with its plan, its deadline, and its keys.

use std::sync::Arc;
use std::time::Duration;

use detector_api::orchestrate::{Priority, ProcessingMode, RoutingDecision};
use job_store::redis::cache::Marks;
use tokio::time::Instant;

use crate::ask::called::Called;
use crate::ask::registry::Registry;
use crate::request::envelope::Envelope;
use crate::request::intake::Accepted;
use crate::request::select::{Plan, Rules};
use crate::share::invalidations::{InvalidationPoint, Invalidations};
use crate::share::key::{self, Key};
use crate::share::partials::Earlier;
use crate::share::question::{Question, QuestionTime};
use crate::share::scope::About;

/// A planned request.
pub struct Planned {
    pub request: Accepted,
    pub envelope: Envelope,
    pub plan: Plan,
    /// The registry that the plan was made with.
    pub registry: Arc<Registry>,
    pub rules: Rules,
    pub deadline: Instant,
    pub sla: Duration,
    /// Known answers, by place in the plan.
    pub known: Vec<Option<Called>>,
    /// Set when an earlier answer is completed.
    pub earlier: Option<Earlier>,
    pub asked_at: QuestionTime,
}

/// The keys of a request.
#[derive(Clone, Copy)]
pub struct Keys {
    /// The key of its answer.
    pub answer: Key,
    /// The key of the question to every detector.
    asked: Key,
}

/// Requests with one key share one answer in progress.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FlightKey {
    answer: Key,
    /// Priorities and modes have different deadlines.
    priority: Priority,
    mode: ProcessingMode,
    /// No request joins a flight from before an invalidation, here or in another replica.
    since: InvalidationPoint,
    marks: Option<[u8; 32]>,
    /// The token of the partial answer that is completed.
    token: Option<String>,
}

impl Planned {
    /// Whether its answer may come from the cache and be cached.
    pub fn may_share(&self) -> bool {
        self.request.priority != Priority::Critical
    }

    /// Its keys; only needed if anything is shared.
    pub fn keys(&self) -> Keys {
        let (request, rules) = (&self.request, &self.rules);
        let asked = key::ask(&key::Inputs {
            tenant: &request.tenant,
            bundle: &rules.bundle,
            version: rules.version,
            digest: &rules.digest,
            content_type: request.content_type,
            content: &request.content,
        });
        Keys {
            answer: self.plan.key(&asked),
            asked,
        }
    }

    /// The key under which its answer in progress is shared.
    pub fn flight_key(&self, keys: Keys) -> FlightKey {
        FlightKey {
            answer: keys.answer,
            priority: self.request.priority,
            mode: self.request.mode,
            since: self.asked_at.since,
            marks: self.asked_at.marks.as_ref().map(Marks::all),
            token: self.earlier.as_ref().map(|it| it.token.clone()),
        }
    }

    /// The scope of its answer.
    pub fn about(&self) -> About {
        About {
            tenant: self.request.tenant.clone(),
            bundle: self.rules.bundle.clone(),
            detectors: self.plan.names(),
        }
    }

    /// The question to its detectors.
    pub fn question(&self, keys: Option<Keys>) -> Question {
        Question {
            tenant: self.request.tenant.as_str().into(),
            bundle: self.rules.bundle.clone(),
            hash: keys.unwrap_or_else(|| self.keys()).asked,
            asked_at: self.asked_at.clone(),
        }
    }

    /// Takes the still valid parts of the answer that is completed.
    pub fn recall(&mut self, invalidations: &Invalidations) {
        if let Some(earlier) = &self.earlier {
            let question = self.question(None);
            self.known = earlier.partial.known(&self.plan, &question, invalidations);
        }
    }

    /// The selection of the detectors.
    pub fn routing(&self) -> RoutingDecision {
        self.plan.routing(&self.rules.bundle)
    }
}
