//! Labels whose values clients choose.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::fast::RandomState;

/// The label value for all values beyond the limit.
pub(super) const OTHER: &str = "other";

/// Label values that clients choose, up to a limit.
pub(super) struct Labels {
    known: RwLock<HashSet<Arc<str>, RandomState>>,
    limit: usize,
    other: Arc<str>,
}

impl Labels {
    pub fn new(limit: usize) -> Self {
        Self {
            known: RwLock::default(),
            limit,
            other: OTHER.into(),
        }
    }

    pub fn bounded(&self, value: &str) -> Arc<str> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(value) {
            return found.clone();
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.limit {
            return self.other.clone();
        }
        let value: Arc<str> = value.into();
        known.insert(value.clone());
        value
    }
}
