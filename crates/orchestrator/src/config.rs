//! What the orchestrator is started with.

use std::collections::BTreeMap;
use std::time::Duration;

use detector_api::detect::ContentType;
pub use detector_api::orchestrate::OnFailure;
use detector_api::orchestrate::{Environment, Priority};
use detector_api::scope;
use http::Uri;

pub use crate::dialect::Dialect;
pub use crate::network::{Network, NetworkError};
pub use crate::policy::Policy;
use crate::{network, rate_limit, store};

/// Settings of one orchestrator. `Default` has no detectors and is otherwise the contract.
#[derive(Debug, Clone)]
pub struct Config {
    pub environment: Environment,
    /// Threads that serve requests, each with connections of its own to clients and detectors. 0:
    /// those of the caller's runtime.
    pub threads: usize,
    pub sla: Sla,
    /// Coverage under which an answer is partial, 0 to 1.
    pub partial_coverage_threshold: f64,
    /// The HTTP status of a partial answer: 206, 200 or 207.
    pub partial_status: u16,
    pub cache: Cache,
    pub overload: Overload,
    pub auth: Auth,
    pub health: Health,
    pub limits: Limits,
    /// Where jobs and idempotency keys are kept. `None`: keys in memory, and no jobs, because a job
    /// that was accepted must survive.
    pub store: Option<store::Config>,
    /// `None`: this replica shares nothing with others.
    pub redis: Option<store::redis::Config>,
    /// A worker that is not heard of for so long has lost its job.
    pub job_lease: Duration,
    /// `None`: nobody is limited.
    pub rate_limit: Option<rate_limit::Config>,
    /// The status of a request that is refused by rate: 429, or 403 for old clients.
    pub rate_limit_status: u16,
    /// How long it goes on serving once it was told to end and is not ready any more.
    pub drain: Duration,
    /// Where detectors registered over the API may be.
    pub registry_networks: Vec<Network>,
    pub detectors: Vec<DetectorSettings>,
    pub policies: FilePolicies,
}

/// Policies of the fleet file by tenant and bundle; `*` stands for every tenant.
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
    /// The time a synchronous request of this priority may take.
    pub fn of(&self, priority: Priority) -> Duration {
        match priority {
            Priority::Critical => self.critical,
            Priority::Low => self.low,
            Priority::Normal | Priority::High => self.normal,
        }
    }
}

/// The response cache.
#[derive(Debug, Clone)]
pub struct Cache {
    pub enabled: bool,
    pub ttl: Duration,
    /// How long an expired answer may still stand in, marked stale, when nobody answers.
    pub stale_if_error: Duration,
    pub entries: usize,
}

/// How many requests are worked on at once, and who waits.
#[derive(Debug, Clone)]
pub struct Overload {
    pub limit: resilience::limit::Config,
    /// Requests that wait; as the queue fills, optional detectors are left out.
    pub max_queued: usize,
    /// The longest that a synchronous one waits.
    pub max_wait: Duration,
}

/// Who may call.
#[derive(Debug, Clone)]
pub struct Auth {
    pub mode: AuthMode,
    /// The header that carries the key.
    pub header: String,
    /// What a caller without a key may do in mode `Optional`.
    pub anonymous: Vec<String>,
    pub keys: Vec<ApiKey>,
}

/// What a call without a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// No key is anonymous, a wrong key is refused.
    Optional,
    /// No key is refused.
    Required,
    /// Keys are not looked at.
    Off,
}

/// One key: whose it is and what it may do. The key itself is not kept.
#[derive(Debug, Clone)]
pub struct ApiKey {
    pub sha256: [u8; 32],
    pub tenant: String,
    /// Empty means `orchestrate:write` and `orchestrate:status`.
    pub scopes: Vec<String>,
}

/// Active health probes.
#[derive(Debug, Clone)]
pub struct Health {
    pub interval: Duration,
    pub timeout: Duration,
    pub unhealthy_after: u32,
    pub healthy_after: u32,
}

/// What a client can make grow.
#[derive(Debug, Clone)]
pub struct Limits {
    pub body_bytes: usize,
    pub batch_body_bytes: usize,
    /// The most bytes read of one detector's answer.
    pub answer_bytes: usize,
    /// How long a client may take for a request's head, and be idle between two requests.
    pub head: Duration,
    /// Distinct tenants and policies in metrics; the rest is `other`.
    pub label_values: usize,
}

/// One detector, as the orchestrator sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorSettings {
    pub name: String,
    pub endpoint: Uri,
    /// More endpoints of it; calls are spread over all.
    pub replicas: Vec<Uri>,
    /// Time one attempt may take.
    pub timeout: Duration,
    pub max_retries: u32,
    pub health_check_path: String,
    pub capabilities: Vec<String>,
    /// Empty means all.
    pub content_types: Vec<ContentType>,
    pub dialect: Dialect,
    pub aliases: Vec<String>,
    pub weight: f64,
    pub on_failure: OnFailure,
    /// Nobody can stand in for it, and without it the service is not ready.
    pub required: bool,
    pub bulkhead: resilience::bulkhead::Config,
    pub retry: resilience::retry::Config,
    pub breaker: resilience::breaker::Config,
    pub hedge: resilience::hedge::Config,
    /// How many calls one endpoint gets at once.
    pub limit: resilience::limit::Config,
    /// Which endpoint is left out for a while.
    pub outlier: resilience::outlier::Config,
    /// Set: it is never asked for an answer, only beside the detector of this name, to see
    /// whether they agree.
    pub shadow_of: Option<String>,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "detector {detector}: endpoint {endpoint:?} cannot be called; use http://host:port/path"
    )]
    Endpoint { detector: String, endpoint: String },
    #[error("detector {detector}: the orchestrator cannot speak its dialect; use native or fms")]
    Dialect { detector: String },
    #[error("orchestration.registry_networks: {0}")]
    Network(#[from] NetworkError),
    #[error("orchestration.policies.{tenant}.{bundle}: {fault}")]
    Policy {
        tenant: String,
        bundle: String,
        fault: String,
    },
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
    /// The endpoint is no `http://host:port/path`.
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

    /// Fills in what follows from the time that requests have.
    #[must_use]
    pub fn under(mut self, sla: &Sla) -> Self {
        // Synchronous requests of normal priority: with less time than they have, being cut off
        // says little about a detector, and being cut off in time for them says everything.
        let nearly_all = u64::try_from((sla.normal * 9 / 10).as_millis()).unwrap_or(u64::MAX);
        self.breaker.slow_cut_off_ms.get_or_insert(nearly_all);
        self
    }

    /// Adds more endpoints; those that it has already are left out.
    ///
    /// # Errors
    /// One is no `http://host:port/path`.
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

    /// Where it is called, at least one.
    pub fn endpoints(&self) -> impl Iterator<Item = &Uri> {
        std::iter::once(&self.endpoint).chain(&self.replicas)
    }

    /// Whether it takes content of this type.
    pub fn takes(&self, content_type: ContentType) -> bool {
        self.content_types.is_empty() || self.content_types.contains(&content_type)
    }
}

fn callable(detector: &str, endpoint: &str) -> Result<Uri, ConfigError> {
    let wrong = || ConfigError::Endpoint {
        detector: detector.to_owned(),
        endpoint: endpoint.to_owned(),
    };
    let uri: Uri = endpoint.parse().map_err(|_| wrong())?;
    let named = |uri: &Uri| uri.authority().is_some_and(|it| it.as_str().contains('@'));
    if uri.scheme_str() != Some("http") || uri.host().is_none() || named(&uri) {
        return Err(wrong());
    }
    Ok(uri)
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
    fn a_call_is_slow_that_was_cut_off_after_nine_tenths_of_the_sla() {
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
