//! Rate limits, which answer with status 429.

use std::time::Duration;

use live_config::{Check, ConfigError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A limit on the rate of requests; the others get status 429 with `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Requests per second, in the long run.
    pub rate_per_s: f64,
    /// The number of requests that may come at once after a pause.
    #[serde(default = "default_burst")]
    pub burst: u32,
    /// The callers that share a limit.
    #[serde(default)]
    pub scope: Scope,
}

/// The callers that share a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All callers together.
    #[default]
    Detector,
    /// Each tenant separately.
    Tenant,
}

impl RateLimit {
    /// Adds every error of the limit, with a path relative to it.
    pub fn validate(&self, faults: &mut Vec<ConfigError>) {
        self.check(&mut Check::new(faults));
    }

    pub(crate) fn check(&self, check: &mut Check<'_>) {
        check.positive("rate_per_s", self.rate_per_s);
        check.at_least("burst", self.burst, 1);
    }
}

fn default_burst() -> u32 {
    1
}

/// A token bucket with the caller's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenBucket {
    /// Tokens taken and not yet refilled.
    taken: f64,
    at: Duration,
}

impl TokenBucket {
    /// Takes a token. If time goes backwards, no tokens are added.
    ///
    /// # Errors
    /// The time until the next token.
    pub fn admit(&mut self, limit: &RateLimit, now: Duration) -> Result<(), Duration> {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.taken = (self.taken - passed * limit.rate_per_s).max(0.0);
        let burst = f64::from(limit.burst);
        // A token that is missing only by a rounding error counts.
        if self.taken + 1.0 <= burst + 1e-9 {
            self.taken += 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64(
            ((self.taken + 1.0 - burst) / limit.rate_per_s).min(86_400.0),
        ))
    }
}
