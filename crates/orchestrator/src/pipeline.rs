//! The steps of a request: accept, plan, find, ask, judge, reply. Single requests, batch entries, jobs,
//! requests that complete a partial answer and content requests all go through them, so that none skips a step.
//!
//! The accept step counts a request from [`intake`](crate::request::intake) against the tenant's rate; a job
//! was accepted when it was submitted. The reply step is [`SharedResult::reply`].

mod accept;
mod ask;
mod counted;
mod find;
mod judge;
mod plan;
mod share;

use std::sync::Arc;

pub use self::accept::accept;
pub use self::ask::FanOutResult;
use self::ask::{Sharing, ask};
use self::counted::{Counted, Ended};
pub use self::find::CacheKey;
use self::find::{find, stand_in};
use self::judge::judge;
pub use self::plan::{check, plan};
use self::share::share;
use crate::answering::Answering;
use crate::error::ApiError;
use crate::policy::{Collect, Policy};
use crate::request::envelope::Envelope;
use crate::request::intake::Accepted;
use crate::request::reply::SharedResult;
use crate::share::cache::CacheStatus;
use crate::share::partials::Earlier;

/// An accepted request, and its waiting client.
pub struct Task {
    pub request: Accepted,
    pub envelope: Envelope,
    /// Set when a partial answer is completed: only detectors without a valid answer are asked.
    pub earlier: Option<Earlier>,
}

/// Answers a request, and counts it.
///
/// # Errors
/// No detector can be asked, none answered, or the time was up.
pub async fn answer(service: &Arc<Answering>, task: Task) -> Result<SharedResult, ApiError> {
    let counted = Counted::begin(service, &task);
    let result = run(service, task).await;
    counted.end(match &result {
        Ok(landed) if landed.answered.partial => Ended::Partial,
        Ok(_) => Ended::Success,
        Err(_) => Ended::Error,
    });
    result
}

async fn run(service: &Arc<Answering>, task: Task) -> Result<SharedResult, ApiError> {
    let mut planned = plan(service, task)?;
    let started = planned.envelope.started;
    let routing = started.elapsed();
    let place = CacheKey::of(service, &planned);
    if let Some(found) = find(service, place.as_ref(), &mut planned).await {
        return Ok(found);
    }
    let (keys, cache, sharing) = match &place {
        Some(place) => (
            Some(place.keys),
            CacheStatus::Miss,
            Sharing::With(place.keys),
        ),
        None => (None, CacheStatus::Bypass, Sharing::NoAnswers),
    };
    let answered = share(service, keys, planned, |service, planned| async move {
        let asked = ask(&service, planned, sharing).await?;
        Ok(judge(&service, asked))
    });
    let answered = answered.await;
    if let Err(error) = &answered
        && let Some(expired) = stand_in(service, place.as_ref(), error).await
    {
        return Ok(expired);
    }
    service.metrics.looked_up(cache.name());
    let answered = answered?;
    let own = started.elapsed().saturating_sub(answered.timing.detectors);
    service.metrics.overhead(own);
    Ok(SharedResult {
        answered,
        cache,
        age: None,
        routing,
    })
}

/// Asks every detector to the end, whatever the policy's collection mode, and returns their answers without a
/// verdict; counts the request. Nothing is shared, and no detector is left out.
///
/// # Errors
/// POLICY_NOT_FOUND, or no detector can be asked.
pub async fn findings(service: &Arc<Answering>, task: Task) -> Result<FanOutResult, ApiError> {
    let counted = Counted::begin(service, &task);
    let result = async {
        let mut planned = plan(service, task)?;
        planned.plan.policy = Arc::new(Policy {
            collect: Collect::All,
            ..Policy::clone(&planned.plan.policy)
        });
        ask(service, planned, Sharing::Nothing).await
    };
    let result = result.await;
    counted.end(match &result {
        Ok(asked) if asked.called.iter().all(|call| call.outcome.is_ok()) => Ended::Success,
        _ => Ended::Error,
    });
    result
}
