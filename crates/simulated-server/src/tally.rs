//! Positions in the streams of requests, one stream per tenant.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The number of tenants with separate streams; further ones share one.
const MAX_TENANTS: usize = 10_000;

/// Counts requests.
#[derive(Debug, Default)]
pub struct Tally {
    /// The stream of requests without a tenant.
    anonymous: AtomicU64,
    tenants: Mutex<HashMap<Box<str>, u64>>,
}

impl Tally {
    /// The position of a tenant's next request, from 1.
    pub fn next(&self, tenant: &str) -> u64 {
        if tenant.is_empty() {
            return self.anonymous.fetch_add(1, Ordering::Relaxed) + 1;
        }
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = tenants.get_mut(tenant) {
            *count += 1;
            return *count;
        }
        let own = if tenants.len() < MAX_TENANTS {
            tenant
        } else {
            ""
        };
        let count = tenants.entry(own.into()).or_default();
        *count += 1;
        *count
    }

    /// Resets all streams.
    pub fn reset(&self) {
        self.anonymous.store(0, Ordering::Relaxed);
        self.tenants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
