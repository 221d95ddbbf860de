//! How much each tenant may ask for, as the fleet file says it.

use indexmap::IndexMap;
use live_config::ConfigErrors;
use serde::{Deserialize, Serialize};

/// Requests per tenant. The most particular quota counts: the tenant's own, else the default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// What a tenant without a quota of its own may do; absent: as much as it likes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Quota>,
    /// Quotas of single tenants, by name.
    pub tenants: IndexMap<String, Quota>,
    /// Tenants told apart; past it newcomers share a quota, so that nobody gains by inventing
    /// names.
    pub max_tenants: usize,
    /// The status of a refusal: 429, or 403 for old clients.
    pub legacy_status: u16,
}

/// A rate and how much may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Requests per second in the long run.
    pub rate_per_s: f64,
    /// Requests at once after a pause; at least 1.
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
    pub(crate) fn check(&self, path: &str, faults: &mut ConfigErrors) {
        if ![429, 403].contains(&self.legacy_status) {
            faults.add(format!("{path}.legacy_status"), "use 429 or 403");
        }
        if self.max_tenants == 0 {
            faults.add(format!("{path}.max_tenants"), "must be at least 1");
        }
        if let Some(quota) = &self.default {
            quota.check(&format!("{path}.default"), faults);
        }
        for (tenant, quota) in &self.tenants {
            let place = format!("{path}.tenants.{tenant}");
            if tenant.is_empty() || tenant.chars().count() > 64 {
                faults.add(place.clone(), "a tenant's name has 1 to 64 characters");
            }
            quota.check(&place, faults);
        }
    }
}

impl Quota {
    fn check(&self, path: &str, faults: &mut ConfigErrors) {
        if !(self.rate_per_s.is_finite() && self.rate_per_s > 0.0) {
            faults.add(
                format!("{path}.rate_per_s"),
                "must be a number above 0 (requests per second)",
            );
        }
        if self.burst == 0 {
            faults.add(format!("{path}.burst"), "must be at least 1");
        }
    }
}
