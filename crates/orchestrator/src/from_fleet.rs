//! The orchestrator's settings out of the fleet file.

use std::collections::BTreeMap;
use std::time::Duration;

use detector_api::dialect::Dialect as FleetDialect;
use detector_api::orchestrate::Environment;
use fleet::Fleet;

use crate::config::{
    ApiKey, Auth, AuthMode, Cache, Config, ConfigError, DetectorSettings, Dialect, FilePolicies,
    Health, NetworkError, Policy, Sla,
};
use crate::rate_limit::{self, Quota};
use crate::store;

impl TryFrom<&Fleet> for Config {
    type Error = ConfigError;

    fn try_from(fleet: &Fleet) -> Result<Self, ConfigError> {
        let own = Self::default();
        let service = &fleet.orchestration;
        if ![200, 206, 207].contains(&service.partial_status) {
            return Err(ConfigError::PartialStatus(service.partial_status));
        }
        let keys = store_keys(service.store_key.as_ref())?;
        let detectors = fleet
            .detectors
            .iter()
            .map(|(name, it)| detector(name, it, fleet));
        Ok(Self {
            environment: Environment::Dev,
            threads: match fleet.service.workers {
                0 => service_runtime::threads::cores(),
                given => given,
            },
            sla: Sla {
                normal: Duration::from_millis(service.sync_sla_ms),
                ..own.sla
            },
            partial_coverage_threshold: service.partial_coverage_threshold,
            partial_status: service.partial_status,
            cache: Cache {
                enabled: service.cache.enabled,
                ttl: Duration::from_millis(service.cache.ttl_ms),
                entries: service.cache.entries,
                ..own.cache
            },
            overload: (&service.overload).into(),
            auth: auth(&service.auth)?,
            health: Health {
                interval: Duration::from_millis(service.health.interval_ms),
                timeout: Duration::from_millis(service.health.timeout_ms),
                unhealthy_after: service.health.unhealthy_after,
                healthy_after: service.health.healthy_after,
            },
            store: service.job_store.clone().map(|path| store::Config {
                keys: keys.clone(),
                ..store::Config::new(path)
            }),
            redis: service.redis_url.as_ref().map(|url| store::redis::Config {
                keys: keys.clone(),
                response_timeout: Duration::from_millis(service.redis_timeout_ms),
                connect_timeout: Duration::from_millis(2 * service.redis_timeout_ms),
                ..store::redis::Config::new(url.reveal())
            }),
            job_lease: Duration::from_millis(service.job_lease_ms),
            rate_limit: rate_limit(&service.rate_limit),
            rate_limit_status: service.rate_limit.legacy_status,
            detectors: detectors.collect::<Result<_, _>>()?,
            policies: policies(service)?,
            drain: Duration::from_millis(service.drain_ms),
            registry_networks: match &service.registry_networks {
                Some(networks) => networks
                    .iter()
                    .map(|text| text.parse())
                    .collect::<Result<_, NetworkError>>()?,
                None => own.registry_networks,
            },
            ..own
        })
    }
}

fn store_keys(given: Option<&fleet::StoreKeys>) -> Result<Vec<store::Key>, ConfigError> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    let keys = given.keys().ok_or(ConfigError::StoreKey)?;
    Ok(keys.into_iter().map(store::Key::new).collect())
}

fn detector(
    name: &str,
    given: &fleet::Detector,
    fleet: &Fleet,
) -> Result<DetectorSettings, ConfigError> {
    let own = DetectorSettings::new(name, &given.endpoint)?.with_replicas(&given.endpoints)?;
    Ok(DetectorSettings {
        timeout: given.timeout(&fleet.orchestration),
        max_retries: given.max_retries,
        health_check_path: given.health_check_path.clone(),
        capabilities: given.capabilities.clone(),
        content_types: given.content_types.clone(),
        dialect: dialect(name, given.dialect)?,
        aliases: given.aliases.clone(),
        weight: given.weight,
        bulkhead: resilience::bulkhead::Config {
            max_in_flight: u32::try_from(given.max_in_flight).unwrap_or(u32::MAX),
            ..own.bulkhead
        },
        retry: given.retry.clone(),
        breaker: given.breaker.clone(),
        hedge: given.hedge.clone(),
        limit: given.limit.clone(),
        outlier: given.outlier.clone(),
        on_failure: given.on_failure,
        required: given.required,
        shadow_of: given.shadow_of.clone(),
        ..own
    })
}

fn dialect(detector: &str, given: FleetDialect) -> Result<Dialect, ConfigError> {
    match given {
        FleetDialect::Native => Ok(Dialect::Native),
        FleetDialect::Fms => Ok(Dialect::Fms),
        FleetDialect::OpenAi | FleetDialect::Azure | FleetDialect::Presidio => {
            let detector = detector.to_owned();
            Err(ConfigError::Dialect { detector })
        }
    }
}

/// `None`: nobody is limited.
fn rate_limit(given: &fleet::RateLimit) -> Option<rate_limit::Config> {
    let quota = |quota: &fleet::Quota| Quota {
        rate_per_s: quota.rate_per_s,
        burst: quota.burst,
    };
    if given.default.is_none() && given.tenants.is_empty() {
        return None;
    }
    let tenants = given.tenants.iter();
    Some(rate_limit::Config {
        default: given.default.as_ref().map(quota),
        endpoints: BTreeMap::new(),
        tenants: tenants
            .map(|(tenant, own)| (tenant.clone(), quota(own)))
            .collect(),
        max_keys: given.max_tenants,
    })
}

fn policies(service: &fleet::Orchestration) -> Result<FilePolicies, ConfigError> {
    let mut policies = FilePolicies::new();
    for (tenant, bundles) in &service.policies {
        for (bundle, given) in bundles {
            let fault = |fault: String| ConfigError::Policy {
                tenant: tenant.clone(),
                bundle: bundle.clone(),
                fault,
            };
            let policy: Policy = serde_path_to_error::deserialize(given)
                .map_err(|error| fault(error.to_string()))?;
            policy.check().map_err(|error| fault(error.to_string()))?;
            policies.insert((tenant.clone(), bundle.clone()), policy);
        }
    }
    Ok(policies)
}

fn auth(given: &fleet::Auth) -> Result<Auth, ConfigError> {
    let keys = given.keys.iter().enumerate().map(|(place, key)| {
        let sha256 = digest(&key.sha256).ok_or(ConfigError::KeyHash { place })?;
        Ok(ApiKey {
            sha256,
            tenant: key.tenant.clone(),
            scopes: key.scopes.clone(),
        })
    });
    Ok(Auth {
        mode: match given.mode {
            fleet::AuthMode::Optional => AuthMode::Optional,
            fleet::AuthMode::Required => AuthMode::Required,
            fleet::AuthMode::Off => AuthMode::Off,
        },
        header: given.header.clone(),
        anonymous: given.anonymous.clone(),
        keys: keys.collect::<Result<_, ConfigError>>()?,
    })
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_fleet_can_be_orchestrated_and_knows_the_test_key() {
        let fleet = fleet::load(None, &[]).expect("the built-in fleet is valid");
        let config = Config::try_from(&fleet).expect("and can be used");
        assert_eq!(config.detectors.len(), fleet.detectors.len());
        let known = config
            .auth
            .keys
            .iter()
            .find(|key| key.sha256 == crate::hash_key("test-key"));
        assert_eq!(known.map(|key| key.tenant.as_str()), Some("perf-tenant"));
    }

    #[test]
    fn a_hash_is_64_hexadecimal_digits() {
        assert_eq!(digest(&"ff".repeat(32)), Some([255; 32]));
        for wrong in ["", "ff", &"fg".repeat(32), &"ä".repeat(32)] {
            assert_eq!(digest(wrong), None, "{wrong}");
        }
    }
}
