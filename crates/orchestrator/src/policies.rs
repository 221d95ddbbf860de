//! Policies by tenant and bundle, versioned, changed while requests run.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;
use crate::policy::{DEFAULT_BUNDLE, Policy};

/// The number of a bundle's versions that are kept for a rollback.
const KEPT_VERSIONS: usize = 50;
/// The maximum number of bundles of one tenant, and of tenants with bundles.
const MAX_BUNDLES: usize = 100;
const MAX_TENANTS: usize = 10_000;

/// One version of a policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Version {
    pub version: u64,
    pub created_at: String,
    /// Set when this version restored an older one.
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
    /// The version; 0 for the built-in policy.
    pub version: u64,
    /// The hash of the policy's content, since replicas number versions independently.
    pub digest: Digest,
}

#[derive(Debug, Default)]
struct Bundle {
    /// Never reset, so that no two policies ever share a version.
    last_version: u64,
    /// Versions, newest last; empty once deleted.
    versions: Vec<Version>,
}

/// The tenant whose policies apply to every tenant without its own.
pub const EVERYBODY: &str = "*";

/// All policies. Every tenant has the built-in `default` until it stores its own.
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

    /// All stored versions, oldest first.
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

    /// The names that a request of the tenant may give: its own, those for everybody, and the built-in one.
    pub fn names(&self, tenant: &str) -> Vec<String> {
        let bundles = [tenant, EVERYBODY].map(|tenant| self.bundles(tenant));
        let own = bundles.into_iter().flatten().map(|(name, _)| name);
        let mut names: Vec<String> = own.chain([DEFAULT_BUNDLE.to_owned()]).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The first result of `find` among all policies in force, with their tenants and bundles.
    pub fn find_in_force<T>(&self, find: impl Fn(&str, &str, &Policy) -> Option<T>) -> Option<T> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = tenants.iter().flat_map(|(tenant, bundles)| {
            let bundles = bundles.iter();
            bundles.map(move |(bundle, kept)| (tenant, bundle, kept))
        });
        all.find_map(|(tenant, bundle, kept)| find(tenant, bundle, &kept.versions.last()?.policy))
    }

    /// Stores a policy as the newest version.
    ///
    /// # Errors
    /// INVALID_REQUEST: there are too many already.
    pub fn put(&self, tenant: &str, bundle: &str, policy: Policy) -> Result<Version, ApiError> {
        self.push(tenant, bundle, Arc::new(policy), None)
    }

    /// Restores an older version as the newest one; `None` if there is no such version.
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

    /// Deletes a bundle with all its versions. Returns whether there was one.
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
                "the tenant has 100 bundles, the maximum; remove one first",
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
    fn the_newest_version_is_in_force_and_numbers_are_unique() {
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
        policies
            .put(EVERYBODY, "strict", policy(0.1))
            .expect("there is room");
        assert_eq!(policies.names("t"), [DEFAULT_BUNDLE, "mine", "strict"]);
    }
}
