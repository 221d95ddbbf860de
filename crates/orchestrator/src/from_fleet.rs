//! The orchestrator's settings from the fleet file.

use std::collections::BTreeMap;
use std::time::Duration;

use detector_api::dialect::Dialect as FleetDialect;
use detector_api::orchestrate::Environment;
use fleet::Fleet;
use live_config::read;

use crate::ask::registry::SpelledName;
use crate::request::demands::{ResolvedName, check_names};

use crate::config::{
    ApiKey, Auth, Cache, Config, ConfigError, DetectorSettings, Dialect, FilePolicies, Health,
    NetworkError, Policy, Sla,
};
use job_store::rate_limit::{self, Quota};

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
            connections: (&service.connections).into(),
            store: service.job_store.clone().map(|path| job_store::Config {
                keys: keys.clone(),
                ..job_store::Config::new(path)
            }),
            redis: service
                .redis_url
                .as_ref()
                .map(|url| job_store::redis::Config {
                    keys: keys.clone(),
                    response_timeout: Duration::from_millis(service.redis_timeout_ms),
                    connect_timeout: Duration::from_millis(2 * service.redis_timeout_ms),
                    ..job_store::redis::Config::new(url.reveal())
                }),
            job_lease: Duration::from_millis(service.job_lease_ms),
            rate_limit: rate_limit(&service.rate_limit),
            rate_limit_status: service.rate_limit.legacy_status,
            detectors: detectors.collect::<Result<_, _>>()?,
            policies: policies(fleet)?,
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

fn store_keys(given: Option<&fleet::StoreKeys>) -> Result<Vec<job_store::Key>, ConfigError> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    let keys = given.keys().ok_or(ConfigError::StoreKey)?;
    Ok(keys.into_iter().map(job_store::Key::new).collect())
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

/// `None`: no limits.
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

fn policies(fleet: &Fleet) -> Result<FilePolicies, ConfigError> {
    let mut policies = FilePolicies::new();
    for (tenant, bundles) in &fleet.orchestration.policies {
        for (bundle, given) in bundles {
            let at = |error: &str| format!("orchestration.policies.{tenant}.{bundle}.{error}");
            let policy: Policy = read::from_value(given.clone()).map_err(|errors| {
                let errors: Vec<String> =
                    errors.iter().map(|error| at(&error.to_string())).collect();
                ConfigError::Policy(errors.join("; "))
            })?;
            let checked = policy.check();
            let checked = checked.and_then(|()| check_names(&policy, &|name| meant(fleet, name)));
            checked.map_err(|error| ConfigError::Policy(at(&error.message)))?;
            policies.insert((tenant.clone(), bundle.clone()), policy);
        }
    }
    Ok(policies)
}

/// Resolves a name in the file; names take precedence over aliases.
fn meant(fleet: &Fleet, spelled: &SpelledName) -> ResolvedName {
    let text = &**spelled.text();
    let own = fleet.detectors.get_key_value(text);
    let called =
        |(_, it): &(&String, &fleet::Detector)| it.aliases.iter().any(|alias| alias == text);
    match own.or_else(|| fleet.detectors.iter().find(called)) {
        Some((name, found)) => ResolvedName {
            name: name.as_str().into(),
            is_shadow: found.shadow_of.is_some(),
        },
        None => ResolvedName {
            name: spelled.text().clone(),
            is_shadow: false,
        },
    }
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
        mode: given.mode,
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
    fn the_built_in_fleet_is_valid_and_has_the_test_key() {
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

    #[test]
    fn a_policy_in_the_file_follows_the_rules_of_the_api() {
        for (policy, said) in [
            ("{ weights: { a: 1, al: 9 } }", Some("contains `a` twice")),
            (
                "{ on_failure: { al: open, a2: closed } }",
                Some("contains `a` twice"),
            ),
            ("{ required_detectors: [b] }", Some("`b` is a shadow")),
            ("{ detectors: [a, b] }", Some("`b` is a shadow")),
            (
                "{ weights: { al: 1, c: 2 }, required_detectors: [a] }",
                None,
            ),
            (
                "{ min_coverage: high, colect: all }",
                Some(
                    "min_coverage: found \"high\", expected a number; orchestration.policies.t.p.colect: unknown field; did you mean `collect`?",
                ),
            ),
            ("{ block_score: 2 }", Some("block_score: 2 is not a share")),
        ] {
            let text = format!(
                "orchestration: {{ policies: {{ t: {{ p: {policy} }} }} }}
detectors:
  a: {{ endpoint: 'http://127.0.0.1:1/x', aliases: [al, a2] }}
  b: {{ endpoint: 'http://127.0.0.1:2/x', shadow_of: a }}
  c: {{ endpoint: 'http://127.0.0.1:3/x' }}
"
            );
            let source = fleet::Source {
                origin: "x.yaml".to_owned(),
                text,
                path: None,
            };
            let fleet = fleet::load_from(source, &[]).expect("a sound file");
            let error = Config::try_from(&fleet)
                .err()
                .map(|error| error.to_string());
            let place = "orchestration.policies.t.p.";
            match (said, &error) {
                (None, None) => {}
                (Some(said), Some(error)) if error.starts_with(place) && error.contains(said) => {}
                _ => panic!("{policy}: {error:?}"),
            }
        }
    }
}
