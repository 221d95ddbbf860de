//! What was invalidated lately, so that an answer that was asked for before is not kept after.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::cache::Scope;

/// Past it the oldest are forgotten; who asked before them keeps nothing.
const REMEMBERED: usize = 256;

/// The invalidations of one orchestrator.
#[derive(Default)]
pub struct Invalidations {
    count: AtomicU64,
    latest: Mutex<VecDeque<Scope>>,
}

/// A moment between two invalidations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Since(u64);

impl Since {
    pub fn number(self) -> u64 {
        self.0
    }
}

impl Invalidations {
    pub fn now(&self) -> Since {
        Since(self.count.load(Ordering::Acquire))
    }

    /// To be told before anything is dropped: what is kept before that is dropped, and what is kept
    /// after it is found void.
    pub fn add(&self, scope: Scope) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() == REMEMBERED {
            latest.pop_front();
        }
        latest.push_back(scope);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Whether something was invalidated since then that `covered` says it is covered by.
    pub fn void(&self, since: Since, covered: impl Fn(&Scope) -> bool) -> bool {
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
    fn only_what_came_later_and_covers_it_voids_an_answer() {
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
