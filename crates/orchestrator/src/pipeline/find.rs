//! Lookup of cached answers.

use std::sync::Arc;
use std::time::Duration;

use detector_api::orchestrate::ErrorCode;

use crate::answering::Answering;
use crate::error::ApiError;
use crate::request::planned::{Keys, Planned};
use crate::request::reply::SharedResult;
use crate::share::answered::Answered;
use crate::share::cache::CacheStatus;
use crate::share::scope::About;

/// The key of a cached answer.
pub struct CacheKey {
    pub keys: Keys,
    pub about: About,
}

impl CacheKey {
    /// `None`: it is neither looked up nor cached.
    pub fn of(service: &Answering, planned: &Planned) -> Option<Self> {
        (planned.may_share() && service.answers.is_enabled()).then(|| Self {
            keys: planned.keys(),
            // Only asked if other replicas have answers, too.
            about: if service.answers.is_shared() {
                planned.about()
            } else {
                About::default()
            },
        })
    }
}

/// Looks for a cached answer, and for those of an earlier partial one.
pub(super) async fn find(
    service: &Answering,
    place: Option<&CacheKey>,
    planned: &mut Planned,
) -> Option<SharedResult> {
    if let Some(CacheKey { keys, about }) = place {
        let looked = service.answers.fresh(&keys.answer, about).await;
        planned.asked_at.marks = looked.marks;
        if let Some((answered, age)) = looked.found {
            service.metrics.looked_up(CacheStatus::Hit.name());
            let took = planned.envelope.started.elapsed();
            service.metrics.overhead(took);
            return Some(kept(answered, CacheStatus::Hit, age));
        }
    }
    planned.recall(&service.answers.invalidations);
    None
}

fn kept(answered: Arc<Answered>, cache: CacheStatus, age: Duration) -> SharedResult {
    SharedResult {
        answered,
        cache,
        age: Some(age),
        routing: Duration::ZERO,
    }
}

/// An expired answer that replaces an error, if allowed.
pub(super) async fn stand_in(
    service: &Answering,
    place: Option<&CacheKey>,
    error: &ApiError,
) -> Option<SharedResult> {
    let CacheKey { keys, about } = place.filter(|_| is_outage(error.code))?;
    let (answered, age) = Box::pin(service.answers.stale(&keys.answer, about)).await?;
    service.metrics.looked_up(CacheStatus::Stale.name());
    Some(kept(answered, CacheStatus::Stale, age))
}

/// Whether an expired answer may replace this error.
fn is_outage(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::AllDetectorsUnavailable
            | ErrorCode::DetectorCommunicationFailed
            | ErrorCode::RequestTimeout
            | ErrorCode::DetectorOverloaded
            | ErrorCode::Overloaded
    )
}
