//! The rate limits of tenants in the fleet file.

use indexmap::IndexMap;
use live_config::Check;
use serde::{Deserialize, Serialize};

/// Limits on the requests of each tenant: its own quota, or else the default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// The quota of tenants without their own; absent: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Quota>,
    /// Quotas of single tenants, by name.
    pub tenants: IndexMap<String, Quota>,
    /// The number of tenants that are tracked separately. Further tenants share one quota, so that
    /// inventing names gains nothing.
    pub max_tenants: usize,
    /// The status of a refusal: 429, or 403 for old clients.
    pub legacy_status: u16,
}

/// A rate, and the size of a burst.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Requests per second, in the long run.
    pub rate_per_s: f64,
    /// The number of requests that may come at once after a pause; at least 1.
    #[serde(default = "one")]
    pub burst: u32,
}

fn one() -> u32 {
    1
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            default: None,
            tenants: IndexMap::new(),
            max_tenants: 100_000,
            legacy_status: 429,
        }
    }
}

impl RateLimit {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        check.one_of("legacy_status", self.legacy_status, &[429, 403]);
        check.at_least("max_tenants", self.max_tenants, 1);
        if let Some(quota) = &self.default {
            quota.check(&mut check.at("default"));
        }
        let mut check = check.at("tenants");
        for (tenant, quota) in &self.tenants {
            if tenant.is_empty() || tenant.chars().count() > 64 {
                check.error(tenant, "a tenant's name has 1 to 64 characters");
            }
            quota.check(&mut check.at(tenant));
        }
    }
}

impl Quota {
    fn check(&self, check: &mut Check<'_>) {
        check.positive("rate_per_s", self.rate_per_s);
        check.at_least("burst", self.burst, 1);
    }
}
