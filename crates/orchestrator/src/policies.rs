//! Policies by tenant and bundle, versioned, changed while requests run.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;
use crate::policy::{DEFAULT_BUNDLE, Policy};

/// Versions of one bundle that can be gone back to.
const KEPT_VERSIONS: usize = 50;
/// Bundles that one tenant may have, and tenants that may have some.
const MAX_BUNDLES: usize = 100;
const MAX_TENANTS: usize = 10_000;

/// One version of a policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Version {
    pub version: u64,
    pub created_at: String,
    /// Set when this version brought an older one back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolled_back_to: Option<u64>,
    pub policy: Arc<Policy>,
    /// See [`Current::digest`].
    #[serde(skip)]
    digest: Digest,
}

/// SHA-256.
type Digest = [u8; 32];

/// The policy in force.
#[derive(Debug, Clone)]
pub struct Current {
    pub policy: Arc<Policy>,
    /// The built-in one has version 0.
    pub version: u64,
    /// Of what the policy says: replicas count versions each for itself.
    pub digest: Digest,
}

#[derive(Debug, Default)]
struct Bundle {
    /// Never reset, so that no two policies ever share a version.
    last_version: u64,
    /// Newest last; empty once deleted.
    versions: Vec<Version>,
}

/// Whose policies count for every tenant that has none of the name itself.
pub const EVERYBODY: &str = "*";

/// All policies. The built-in `default` is there for every tenant until one stores its own.
#[derive(Debug, Default)]
pub struct Policies {
    tenants: RwLock<BTreeMap<String, BTreeMap<String, Bundle>>>,
    built_in: Arc<Policy>,
}

impl Policies {
    /// The policy in force.
    pub fn current(&self, tenant: &str, bundle: &str) -> Option<Current> {
        let found = self.latest(tenant, bundle);
        match found.or_else(|| self.latest(EVERYBODY, bundle)) {
            Some(found) => Some(Current {
                policy: found.policy,
                version: found.version,
                digest: found.digest,
            }),
            None if bundle == DEFAULT_BUNDLE => Some(Current {
                policy: self.built_in.clone(),
                version: 0,
                digest: Digest::default(),
            }),
            None => None,
        }
    }

    /// The stored version in force.
    pub fn latest(&self, tenant: &str, bundle: &str) -> Option<Version> {
        self.versions(tenant, bundle).pop()
    }

    /// All versions that are kept, oldest first.
    pub fn versions(&self, tenant: &str, bundle: &str) -> Vec<Version> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let found = tenants.get(tenant).and_then(|bundles| bundles.get(bundle));
        found
            .map(|bundle| bundle.versions.clone())
            .unwrap_or_default()
    }

    /// The tenant's bundles with their versions in force.
    pub fn bundles(&self, tenant: &str) -> Vec<(String, Version)> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let Some(bundles) = tenants.get(tenant) else {
            return Vec::new();
        };
        let latest = |(name, bundle): (&String, &Bundle)| {
            Some((name.clone(), bundle.versions.last()?.clone()))
        };
        bundles.iter().filter_map(latest).collect()
    }

    /// Stores a policy as the newest version.
    ///
    /// # Errors
    /// INVALID_REQUEST: there are too many already.
    pub fn put(&self, tenant: &str, bundle: &str, policy: Policy) -> Result<Version, ApiError> {
        self.push(tenant, bundle, Arc::new(policy), None)
    }

    /// Makes an older version the newest one again; `None`: there is no such version.
    ///
    /// # Errors
    /// As [`Policies::put`].
    pub fn roll_back(
        &self,
        tenant: &str,
        bundle: &str,
        version: u64,
    ) -> Result<Option<Version>, ApiError> {
        let old = self
            .versions(tenant, bundle)
            .into_iter()
            .find(|it| it.version == version);
        old.map(|old| self.push(tenant, bundle, old.policy, Some(version)))
            .transpose()
    }

    /// Deletes a bundle with all its versions; whether there was one.
    pub fn delete(&self, tenant: &str, bundle: &str) -> bool {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let found = tenants
            .get_mut(tenant)
            .and_then(|bundles| bundles.get_mut(bundle));
        found.is_some_and(|bundle| !std::mem::take(&mut bundle.versions).is_empty())
    }

    fn push(
        &self,
        tenant: &str,
        bundle: &str,
        policy: Arc<Policy>,
        rolled_back_to: Option<u64>,
    ) -> Result<Version, ApiError> {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        if !tenants.contains_key(tenant) && tenants.len() >= MAX_TENANTS {
            return Err(ApiError::invalid(
                "tenant",
                "too many tenants have policies",
            ));
        }
        let bundles = tenants.entry(tenant.to_owned()).or_default();
        if !bundles.contains_key(bundle) && bundles.len() >= MAX_BUNDLES {
            return Err(ApiError::invalid(
                "bundle",
                "the tenant has 100 bundles; none can be added",
            ));
        }
        let bundle = bundles.entry(bundle.to_owned()).or_default();
        bundle.last_version += 1;
        let version = Version {
            version: bundle.last_version,
            created_at: jiff::Timestamp::now().to_string(),
            rolled_back_to,
            digest: digest(&policy),
            policy,
        };
        if bundle.versions.len() == KEPT_VERSIONS {
            bundle.versions.remove(0);
        }
        bundle.versions.push(version.clone());
        Ok(version)
    }
}

fn digest(policy: &Policy) -> Digest {
    let text = serde_json::to_vec(policy).expect("keys are strings, numbers are finite");
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(block_score: f64) -> Policy {
        Policy {
            block_score,
            ..Policy::default()
        }
    }

    #[test]
    fn the_newest_version_is_in_force_and_no_number_comes_twice() {
        let policies = Policies::default();
        let force = |bundle| {
            policies
                .current("t", bundle)
                .map(|it| (it.policy.block_score, it.version))
        };
        assert_eq!(force(DEFAULT_BUNDLE), Some((0.5, 0)));
        assert_eq!(force("mine"), None);
        for score in [0.1, 0.2] {
            policies
                .put("t", "mine", policy(score))
                .expect("there is room");
        }
        assert_eq!(force("mine"), Some((0.2, 2)));
        let back = policies.roll_back("t", "mine", 1).expect("there is room");
        assert_eq!(back.and_then(|version| version.rolled_back_to), Some(1));
        assert_eq!(force("mine"), Some((0.1, 3)));
        assert_eq!(policies.roll_back("t", "mine", 9), Ok(None));
        assert!(policies.delete("t", "mine") && !policies.delete("t", "mine"));
        assert_eq!(force("mine"), None);
        policies
            .put("t", "mine", policy(0.4))
            .expect("there is room");
        assert_eq!(force("mine"), Some((0.4, 4)));
        assert!(policies.current("other", "mine").is_none());
        policies
            .put(EVERYBODY, "mine", policy(0.9))
            .expect("there is room");
        let other = policies.current("other", "mine");
        assert_eq!(other.map(|it| it.policy.block_score), Some(0.9));
        assert_eq!(force("mine"), Some((0.4, 4)), "its own counts");
    }
}
