//! The configuration of the orchestrator.

use std::collections::BTreeMap;
use std::time::Duration;

use detector_api::detect::ContentType;
pub use detector_api::orchestrate::OnFailure;
use detector_api::orchestrate::{Environment, Priority};
use detector_api::scope;
pub use fleet::AuthMode;
use http::Uri;

pub use crate::ask::dialect::Dialect;
use crate::ask::network;
pub use crate::ask::network::{Network, NetworkError};
pub use crate::policy::Policy;
use job_store::rate_limit;

/// Settings of one orchestrator. `Default` has no detectors; its other values are those of the contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub environment: Environment,
    /// Threads that serve requests, each with connections of its own to clients and detectors. 0:
    /// those of the caller's runtime.
    pub threads: usize,
    pub sla: Sla,
    /// The coverage below which an answer is partial, 0 to 1.
    pub partial_coverage_threshold: f64,
    /// The HTTP status of a partial answer: 206, 200 or 207.
    pub partial_status: u16,
    pub cache: Cache,
    pub overload: Overload,
    pub auth: Auth,
    pub health: Health,
    pub connections: Connections,
    pub limits: Limits,
    /// The store of jobs and idempotency keys. `None`: keys in memory, and no jobs, because an accepted job
    /// must survive a restart.
    pub store: Option<job_store::Config>,
    /// `None`: this replica shares nothing with others.
    pub redis: Option<job_store::redis::Config>,
    /// The time without a heartbeat after which a worker loses its job.
    pub job_lease: Duration,
    /// `None`: no limits.
    pub rate_limit: Option<rate_limit::Config>,
    /// The status of a request that exceeds its rate: 429, or 403 for old clients.
    pub rate_limit_status: u16,
    /// How long the service continues after the shutdown signal, while it reports that it is not ready.
    pub drain: Duration,
    /// The allowed networks of detectors registered over the API.
    pub registry_networks: Vec<Network>,
    pub detectors: Vec<DetectorSettings>,
    pub policies: FilePolicies,
}

/// Policies of the fleet file by tenant and bundle; `*` means every tenant.
pub type FilePolicies = BTreeMap<(String, String), Policy>;

/// How long a request may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sla {
    pub normal: Duration,
    pub critical: Duration,
    pub low: Duration,
    pub asynchronous: Duration,
}

impl Sla {
    /// The time limit of a synchronous request of this priority.
    pub fn of(&self, priority: Priority) -> Duration {
        match priority {
            Priority::Critical => self.critical,
            Priority::Low => self.low,
            Priority::Normal | Priority::High => self.normal,
        }
    }
}

/// The response cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Cache {
    pub enabled: bool,
    pub ttl: Duration,
    /// How long an expired answer may still be used, marked stale, when no detector answers.
    pub stale_if_error: Duration,
    pub entries: usize,
}

/// Connections to detectors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Connections {
    /// How long an idle connection is kept.
    pub idle: Duration,
    /// The longest lifetime of a connection, reduced at random by up to a fifth.
    pub max_age: Duration,
}

/// The limits of concurrent and waiting requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Overload {
    pub limit: resilience::limit::Config,
    /// The capacity of the queue; as it fills, optional detectors are left out.
    pub max_queued: usize,
    /// The longest wait of a synchronous request.
    pub max_wait: Duration,
}

/// Authentication of callers.
#[derive(Debug, Clone, PartialEq)]
pub struct Auth {
    pub mode: AuthMode,
    /// The header with the key.
    pub header: String,
    /// The scopes of a caller without a key in mode `Optional`.
    pub anonymous: Vec<String>,
    pub keys: Vec<ApiKey>,
}

/// One key: its tenant and its scopes. The key itself is not stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKey {
    pub sha256: [u8; 32],
    pub tenant: String,
    /// Empty means `orchestrate:write` and `orchestrate:status`.
    pub scopes: Vec<String>,
}

/// Active health probes.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    pub interval: Duration,
    pub timeout: Duration,
    pub unhealthy_after: u32,
    pub healthy_after: u32,
}

/// Limits of what clients can make grow.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    pub body_bytes: usize,
    pub batch_body_bytes: usize,
    /// The maximum number of bytes read of one detector's answer.
    pub answer_bytes: usize,
    /// How long a client may take for a request's head, and be idle between two requests.
    pub head: Duration,
    /// The maximum number of distinct tenants and policies in metrics; the rest is `other`.
    pub label_values: usize,
}

/// The configuration of one detector.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorSettings {
    pub name: String,
    pub endpoint: Uri,
    /// Further endpoints; calls are spread over all.
    pub replicas: Vec<Uri>,
    /// The time limit of one attempt.
    pub timeout: Duration,
    pub max_retries: u32,
    pub health_check_path: String,
    pub capabilities: Vec<String>,
    /// Accepted content types; empty means all.
    pub content_types: Vec<ContentType>,
    pub dialect: Dialect,
    pub aliases: Vec<String>,
    pub weight: f64,
    pub on_failure: OnFailure,
    /// Whether no other detector can replace it, so that the service is not ready without it.
    pub required: bool,
    pub bulkhead: resilience::bulkhead::Config,
    pub retry: resilience::retry::Config,
    pub breaker: resilience::breaker::Config,
    pub hedge: resilience::hedge::Config,
    /// The concurrency limit of one endpoint.
    pub limit: resilience::limit::Config,
    /// The ejection of failing endpoints.
    pub outlier: resilience::outlier::Config,
    /// If set, it is a shadow: its answers are never used, only compared with those of the detector with this
    /// name.
    pub shadow_of: Option<String>,
}

/// An invalid setting.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "detector {detector}: endpoint {endpoint:?} cannot be called; use http://host:port/path"
    )]
    Endpoint { detector: String, endpoint: String },
    #[error(
        "detector {detector}: the orchestrator does not support its dialect; use native or fms"
    )]
    Dialect { detector: String },
    #[error("orchestration.registry_networks: {0}")]
    Network(#[from] NetworkError),
    /// All errors of a policy, each with its path.
    #[error("{0}")]
    Policy(String),
    #[error("orchestration.store_key: use 32 random bytes in base64")]
    StoreKey,
    #[error("auth key {place}: sha256 must be 64 hexadecimal digits")]
    KeyHash { place: usize },
    #[error("partial_status {0} is not possible; use 206, 200 or 207")]
    PartialStatus(u16),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            environment: Environment::Dev,
            threads: 0,
            sla: Sla {
                normal: Duration::from_secs(2),
                critical: Duration::from_secs(1),
                low: Duration::from_secs(5),
                asynchronous: Duration::from_secs(30),
            },
            partial_coverage_threshold: 0.8,
            partial_status: 206,
            cache: Cache {
                enabled: true,
                ttl: Duration::from_secs(300),
                stale_if_error: Duration::from_secs(3_600),
                entries: 10_000,
            },
            overload: (&fleet::Overload::default()).into(),
            auth: Auth {
                mode: AuthMode::Optional,
                header: "X-API-Key".to_owned(),
                anonymous: scope::ANONYMOUS.map(str::to_owned).to_vec(),
                keys: Vec::new(),
            },
            health: Health {
                interval: Duration::from_secs(10),
                timeout: Duration::from_secs(1),
                unhealthy_after: 3,
                healthy_after: 1,
            },
            connections: (&fleet::Connections::default()).into(),
            limits: Limits {
                body_bytes: 1 << 20,
                batch_body_bytes: 16 << 20,
                answer_bytes: 1 << 20,
                head: service_runtime::serve::HEAD,
                label_values: 100,
            },
            store: None,
            redis: None,
            job_lease: Duration::from_secs(15),
            rate_limit: None,
            rate_limit_status: 429,
            drain: Duration::ZERO,
            registry_networks: network::usual(),
            detectors: Vec::new(),
            policies: FilePolicies::new(),
        }
    }
}

impl DetectorSettings {
    /// A detector with the contract's defaults.
    ///
    /// # Errors
    /// The endpoint is not of the form `http://host:port/path`.
    pub fn new(name: &str, endpoint: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            name: name.to_owned(),
            endpoint: callable(name, endpoint)?,
            replicas: Vec::new(),
            timeout: Duration::from_secs(5),
            max_retries: 3,
            health_check_path: "/health".to_owned(),
            capabilities: Vec::new(),
            content_types: Vec::new(),
            dialect: Dialect::default(),
            aliases: Vec::new(),
            weight: 1.0,
            on_failure: OnFailure::default(),
            required: false,
            bulkhead: resilience::bulkhead::Config::default(),
            retry: resilience::retry::Config::default(),
            breaker: resilience::breaker::Config::default(),
            hedge: resilience::hedge::Config::default(),
            limit: resilience::limit::Config::default(),
            outlier: resilience::outlier::Config::default(),
            shadow_of: None,
        })
    }

    /// Sets the values that depend on the time limits of requests.
    #[must_use]
    pub fn under(mut self, sla: &Sla) -> Self {
        // Of synchronous requests with normal priority: a call that is cut off earlier says little about a
        // detector, and one that is cut off at their limit counts.
        let nearly_all = u64::try_from((sla.normal * 9 / 10).as_millis()).unwrap_or(u64::MAX);
        self.breaker.slow_cut_off_ms.get_or_insert(nearly_all);
        self
    }

    /// Adds endpoints; duplicates are left out.
    ///
    /// # Errors
    /// One is not of the form `http://host:port/path`.
    pub fn with_replicas<'a>(
        mut self,
        endpoints: impl IntoIterator<Item = &'a String>,
    ) -> Result<Self, ConfigError> {
        for endpoint in endpoints {
            let uri = callable(&self.name, endpoint)?;
            if self.endpoints().all(|known| *known != uri) {
                self.replicas.push(uri);
            }
        }
        Ok(self)
    }

    /// Its endpoints, at least one.
    pub fn endpoints(&self) -> impl Iterator<Item = &Uri> {
        std::iter::once(&self.endpoint).chain(&self.replicas)
    }

    /// Whether it accepts content of this type.
    pub fn takes(&self, content_type: ContentType) -> bool {
        self.content_types.is_empty() || self.content_types.contains(&content_type)
    }
}

fn callable(detector: &str, endpoint: &str) -> Result<Uri, ConfigError> {
    let wrong = || ConfigError::Endpoint {
        detector: detector.to_owned(),
        // It may hold a password.
        endpoint: fleet::shown_url(endpoint),
    };
    let uri = fleet::Endpoint::parse(endpoint).map_err(|_| wrong())?.uri;
    let named = |uri: &Uri| uri.authority().is_some_and(|it| it.as_str().contains('@'));
    if uri.scheme_str() != Some("http") || named(&uri) {
        return Err(wrong());
    }
    Ok(uri)
}

impl From<&fleet::Connections> for Connections {
    fn from(given: &fleet::Connections) -> Self {
        Self {
            idle: Duration::from_millis(given.idle_ms),
            max_age: Duration::from_millis(given.max_age_ms),
        }
    }
}

impl From<&fleet::Overload> for Overload {
    fn from(given: &fleet::Overload) -> Self {
        Self {
            limit: given.limit.clone(),
            max_queued: given.max_queued,
            max_wait: Duration::from_millis(given.max_wait_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_cut_off_after_nine_tenths_of_the_sla_is_slow() {
        for (given, sla_ms, expected) in [
            (None, 2_000, 1_800),
            (None, 500, 450),
            (Some(0), 2_000, 0),
            (Some(700), 2_000, 700),
        ] {
            let mut settings = DetectorSettings::new("a", "http://127.0.0.1:1/").expect("sound");
            settings.breaker.slow_cut_off_ms = given;
            let sla = Sla {
                normal: Duration::from_millis(sla_ms),
                ..Config::default().sla
            };
            let found = settings.under(&sla).breaker.slow_cut_off_ms;
            assert_eq!(found, Some(expected), "{given:?} under {sla_ms} ms");
        }
    }
}
