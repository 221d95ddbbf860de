//! Rate limits that answer 429.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::Check;

/// How many requests are admitted; the others get 429 with `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Requests per second, in the long run.
    pub rate_per_s: f64,
    /// Requests that may come at once after a pause.
    #[serde(default = "default_burst")]
    pub burst: u32,
    /// Who shares a limit.
    #[serde(default)]
    pub scope: Scope,
}

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All callers together.
    #[default]
    Detector,
    /// Each tenant for itself.
    Tenant,
}

impl RateLimit {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        check.positive("rate_per_s", self.rate_per_s);
        if self.burst == 0 {
            check.fault("burst", "must be 1 or more, or nothing is ever admitted");
        }
    }
}

fn default_burst() -> u32 {
    1
}
