//! Partial answers that can be completed: the answers are kept for a while under a token, so that only missing
//! ones are asked for again.

use std::sync::Arc;
use std::time::Duration;

use detector_api::detect::ContentType;
use detector_api::orchestrate::{Priority, ProcessingMode};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::answer::attested::AttestedAnswer;
use crate::ask::called::Called;
use crate::ask::registry::{DetectorName, SpelledName};
use crate::error::ApiError;
use crate::request::intake::Accepted;
use crate::request::select::Plan;
use crate::share::answered::timeline_bytes;
use crate::share::bounded::Bounded;
use crate::share::invalidations::{InvalidationPoint, Invalidations};
use crate::share::key::Key;
use crate::share::question::Question;
use crate::share::scope::About;

/// The maximum number of partial answers; the least useful is evicted.
const KEPT: usize = 1_000;
/// The maximum size of all of them together in bytes, since each keeps all findings.
const MOST_BYTES: usize = 32 << 20;
/// How long a partial answer can be completed.
const LIFETIME: Duration = Duration::from_secs(300);

/// The partial answers of one orchestrator.
pub struct Partials {
    kept: Bounded<String, Partial>,
}

/// One partial answer. The content itself is not kept, only its hash.
pub struct Partial {
    tenant: String,
    content_hash: [u8; 32],
    content_type: ContentType,
    bundle: Arc<str>,
    /// Answers made under another version are not mixed with new ones.
    pub version: u64,
    priority: Priority,
    required: Vec<SpelledName>,
    excluded: Vec<SpelledName>,
    answered: Vec<Known>,
    since: Instant,
}

/// A partial answer that a request completes, and its token.
#[derive(Clone)]
pub struct Earlier {
    pub token: String,
    pub partial: Arc<Partial>,
}

/// One detector's answer in a partial answer.
struct Known {
    name: DetectorName,
    call: Called,
    /// Changes with anything that it depends on: the detector, the policy, invalidations by other replicas.
    key: Key,
    /// The point in time after which an invalidation applies to it.
    since: InvalidationPoint,
    /// The time of the detector's answer.
    at: Instant,
}

/// The circumstances of a partial answer.
pub struct PartialContext<'a> {
    pub request: &'a Accepted,
    pub version: u64,
    pub plan: &'a Plan,
    pub question: &'a Question,
}

impl Default for Partials {
    fn default() -> Self {
        Self {
            kept: Bounded::new(KEPT, MOST_BYTES),
        }
    }
}

impl Partials {
    /// Stores the answers, under `token` if there is one already, and returns the token. Stale answers are not
    /// stored. `None`: the answers are too large to be stored, so no token would complete them.
    pub fn keep(
        &self,
        token: Option<String>,
        made: &PartialContext<'_>,
        called: &[Called],
    ) -> Option<String> {
        let token = token.unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
        let PartialContext {
            request,
            plan,
            question,
            ..
        } = made;
        let now = Instant::now();
        let known = |(place, call): (usize, &Called)| {
            let one = &plan.selected[place];
            let detector = one.detector.as_ref()?;
            let is_own = call.outcome.is_ok() && call.stale().is_none();
            is_own.then(|| Known {
                name: one.name.clone(),
                call: call.clone(),
                key: question.key(place, detector.instance),
                since: question.asked_at.since,
                at: now.checked_sub(call.age()).unwrap_or(now),
            })
        };
        let partial = Partial {
            tenant: request.tenant.clone(),
            content_hash: hash(&request.content),
            content_type: request.content_type,
            bundle: question.bundle.clone(),
            version: made.version,
            priority: request.priority,
            required: request.required.clone(),
            excluded: request.excluded.clone(),
            answered: called.iter().enumerate().filter_map(known).collect(),
            since: now,
        };
        let bytes = partial.bytes();
        self.kept.insert(token.clone(), Arc::new(partial), bytes);
        self.kept.has(&token).then_some(token)
    }

    /// The partial answer with this token, for this tenant and this content.
    ///
    /// # Errors
    /// INVALID_REQUEST: the token is unknown, expired or another tenant's (which are not distinguished), or the
    /// content differs.
    pub fn find(&self, token: &str, tenant: &str, content: &str) -> Result<Arc<Partial>, ApiError> {
        let found = self.kept.get(&token.to_owned());
        let usable = |it: &Arc<Partial>| it.tenant == tenant && it.since.elapsed() < LIFETIME;
        let Some(partial) = found.filter(usable) else {
            let message = "unknown or expired; send the whole request again";
            return Err(ApiError::invalid("resume_token", message));
        };
        if partial.content_hash != hash(content) {
            let message = "differs from the content of the partial result";
            return Err(ApiError::invalid("content", message));
        }
        Ok(partial)
    }
}

impl Partial {
    /// Its approximate memory in bytes.
    fn bytes(&self) -> usize {
        let of_call = |known: &Known| {
            let findings = known.call.outcome.as_ref().map_or(0, AttestedAnswer::bytes);
            size_of::<Known>() + timeline_bytes(&known.call.timeline) + findings
        };
        let names = self.required.iter().chain(&self.excluded);
        let names: usize = names
            .map(|name| size_of::<SpelledName>() + name.text().len())
            .sum();
        size_of::<Self>() + names + self.answered.iter().map(of_call).sum::<usize>()
    }

    /// The request that completes it.
    pub fn request(&self, content: Arc<str>) -> Accepted {
        Accepted {
            content,
            content_type: self.content_type,
            tenant: self.tenant.clone(),
            bundle: self.bundle.as_ref().to_owned(),
            mode: ProcessingMode::Sync,
            priority: self.priority,
            required: self.required.clone(),
            excluded: self.excluded.clone(),
        }
    }

    /// The answers that are still valid, by place in `plan`: without those of changed detectors, and those that
    /// were invalidated or are too old.
    pub fn known(
        &self,
        plan: &Plan,
        question: &Question,
        invalidations: &Invalidations,
    ) -> Vec<Option<Called>> {
        let holds = |known: &Known, key: Key| {
            let about = About {
                tenant: self.tenant.clone(),
                bundle: self.bundle.clone(),
                detectors: vec![known.name.clone()],
            };
            known.key == key
                && known.at.elapsed() < LIFETIME
                && !invalidations.void(known.since, |scope| scope.covers(&about))
        };
        let places = plan.selected.iter().enumerate();
        let recalled = places.map(|(place, one)| {
            let detector = one.detector.as_ref()?;
            let known = self.answered.iter().find(|known| known.name == one.name)?;
            let key = question.key(place, detector.instance);
            holds(known, key).then(|| known.call.clone().again(known.at.elapsed()))
        });
        recalled.collect()
    }
}

fn hash(content: &str) -> [u8; 32] {
    Sha256::digest(content.as_bytes()).into()
}
