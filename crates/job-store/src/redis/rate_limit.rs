//! Rate limits that all replicas count together; each replica counts alone while Redis is unavailable.

use std::sync::Arc;
use std::time::Instant;

use super::{Component, Redis, scripts};
use crate::rate_limit::{Config, Decision, Gcra, Limiter};
use crate::record::key_hash;

/// A limiter that uses Redis first, if configured.
#[derive(Debug, Clone)]
pub struct SharedLimiter {
    local: Arc<Limiter>,
    redis: Option<Redis>,
}

impl SharedLimiter {
    /// A new limiter without counts.
    pub fn of(config: Config, redis: Option<Redis>) -> Self {
        Self::new(Limiter::new(config, Instant::now()), redis)
    }

    pub fn new(local: Limiter, redis: Option<Redis>) -> Self {
        Self {
            local: Arc::new(local),
            redis,
        }
    }

    /// Counts a request of `tenant` at `endpoint`, unless it is rejected; `None`: it is not limited.
    pub async fn check(&self, endpoint: &str, tenant: &str) -> Option<Decision> {
        let gcra = self.local.gcra(endpoint, tenant)?;
        let shared = match &self.redis {
            Some(redis) => ask(redis, gcra, endpoint, tenant).await,
            None => None,
        };
        shared.or_else(|| self.local.check(endpoint, tenant, Instant::now()))
    }
}

async fn ask(redis: &Redis, gcra: Gcra, endpoint: &str, tenant: &str) -> Option<Decision> {
    let interval_us = gcra.interval_ns() as f64 / 1e3;
    let tolerance_us = interval_us * f64::from(gcra.burst());
    let key = super::hex(&key_hash(endpoint, tenant));
    let (interval_us, tolerance_us) = (interval_us.to_string(), tolerance_us.to_string());
    let arguments = [
        key.as_bytes(),
        interval_us.as_bytes(),
        tolerance_us.as_bytes(),
    ];
    let told = redis.ask::<(u8, u64)>(Component::RateLimit, &scripts::GCRA, &arguments);
    let (allowed, used_us) = told.await?;
    Some(gcra.tell(allowed == 1, used_us.saturating_mul(1_000), 0))
}
