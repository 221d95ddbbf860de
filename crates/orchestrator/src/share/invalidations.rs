//! Recent invalidations, so that an answer to an earlier question is not cached after one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::share::scope::Scope;

/// The maximum number of invalidations that are kept; answers to questions before the oldest are not
/// cached.
const REMEMBERED: usize = 256;

/// The invalidations of one orchestrator.
#[derive(Default)]
pub struct Invalidations {
    count: AtomicU64,
    latest: Mutex<VecDeque<Scope>>,
}

/// A point in time between two invalidations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct InvalidationPoint(u64);

impl InvalidationPoint {
    pub fn number(self) -> u64 {
        self.0
    }
}

impl Invalidations {
    pub fn now(&self) -> InvalidationPoint {
        InvalidationPoint(self.count.load(Ordering::Acquire))
    }

    /// Records an invalidation. Must be called before anything is dropped: an answer cached earlier is dropped,
    /// and one cached later is found invalid.
    pub fn add(&self, scope: Scope) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() == REMEMBERED {
            latest.pop_front();
        }
        latest.push_back(scope);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Whether there was an invalidation since then for which `covered` returns true.
    pub fn void(&self, since: InvalidationPoint, covered: impl Fn(&Scope) -> bool) -> bool {
        if self.now() == since {
            return false;
        }
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let count = self.count.load(Ordering::Acquire);
        let missed = usize::try_from(count - since.0).unwrap_or(usize::MAX);
        missed > latest.len() || latest.iter().rev().take(missed).any(covered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(tenant: &str) -> Scope {
        Scope {
            tenant: Some(tenant.to_owned()),
            ..Scope::default()
        }
    }

    #[test]
    fn an_answer_is_invalid_only_after_a_later_matching_invalidation() {
        let invalidations = Invalidations::default();
        let void = |since, tenant: &str| {
            invalidations.void(since, |scope| scope.tenant.as_deref() == Some(tenant))
        };
        invalidations.add(scope("t"));
        let since = invalidations.now();
        assert!(!void(since, "t"), "that was before");
        invalidations.add(scope("u"));
        assert!(!void(since, "t") && void(since, "u"));
        invalidations.add(scope("t"));
        assert!(void(since, "t"));
        for _ in 0..REMEMBERED {
            invalidations.add(scope("u"));
        }
        assert!(void(since, "v"), "nobody knows any more");
        assert!(!void(invalidations.now(), "u"));
    }
}
