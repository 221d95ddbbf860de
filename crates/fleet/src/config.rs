//! The structure of the fleet file. The doc comment of a field is its help text.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use detector_api::detect::ContentType;
use detector_api::dialect::Dialect;
use detector_api::orchestrate::OnFailure;
use detector_api::scope;
use fault_profile::{Listener, Profile};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::rate_limit::RateLimit;
use crate::secret::{SecretUrl, StoreKeys};

/// The whole of `detectors.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    #[serde(default)]
    pub service: Service,
    #[serde(default)]
    pub orchestration: Orchestration,
    #[serde(default)]
    pub performance_targets: PerformanceTargets,
    /// The detectors by name, in the order of the file.
    pub detectors: IndexMap<String, Detector>,
    /// The file of this fleet; the built-in fleet has none.
    #[serde(skip)]
    pub path: Option<PathBuf>,
}

/// The address of the orchestrator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Service {
    /// Address to listen on; `0.0.0.0` for all interfaces.
    pub host: IpAddr,
    /// Port to listen on.
    pub port: u16,
    /// The number of threads that serve requests. 0: one per core.
    pub workers: usize,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 8000,
            workers: 0,
        }
    }
}

/// The orchestrator's treatment of requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Orchestration {
    /// The timeout of detectors without their own.
    pub default_timeout_ms: u64,
    /// The time limit of a synchronous request of normal priority.
    pub sync_sla_ms: u64,
    /// The coverage below which an answer is partial (206), 0 to 1.
    pub partial_coverage_threshold: f64,
    /// The HTTP status of a partial answer: 206, 200 or 207.
    pub partial_status: u16,
    /// The file for jobs and idempotency keys. Absent: the commands choose one; see `--data-dir` of
    /// `sparring orchestrator`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_store: Option<PathBuf>,
    /// The time after which a silent worker loses its job to another one.
    pub job_lease_ms: u64,
    /// `redis://[user:password@]host:port[/database]`. Replicas with the same Redis share the cache,
    /// idempotency keys, rate limits and jobs. While the connection is lost, each replica works alone.
    /// Jobs are stored only in a Redis with an append-only file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_url: Option<SecretUrl>,
    /// The time to wait for an answer of Redis before a replica works alone, and half the time to wait
    /// for a connection.
    pub redis_timeout_ms: u64,
    /// Keys that encrypt waiting data in the job store and in Redis: 32 random bytes each in base64
    /// (`openssl rand -base64 32`), separated by commas. The first one encrypts, all of them decrypt.
    /// To rotate keys, add the new one at the end in every replica, then move it to the front, and
    /// remove the old one after a day. Without a key the job store creates one, in a file beside it
    /// that only its owner may read. Replicas that share a Redis need the same key; otherwise waiting
    /// data in Redis and in its files is not encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_key: Option<StoreKeys>,
    pub rate_limit: RateLimit,
    /// The time for which requests are still served after SIGTERM, while `/health/ready` already
    /// reports it: as long as a load balancer needs to notice.
    pub drain_ms: u64,
    /// The networks, such as `10.0.0.0/8`, for detectors that are registered over the API. Absent: this
    /// machine and private networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_networks: Option<Vec<String>>,
    /// Policies by tenant and bundle, in the form of the API. The tenant `*` stands for all tenants
    /// without their own policy of that name. Changes take effect while the service runs.
    pub policies: IndexMap<String, IndexMap<String, Value>>,
    pub cache: Cache,
    pub overload: Overload,
    pub auth: Auth,
    pub health: Health,
    pub connections: Connections,
}

impl Default for Orchestration {
    fn default() -> Self {
        Self {
            default_timeout_ms: 5_000,
            sync_sla_ms: 2_000,
            partial_coverage_threshold: 0.8,
            partial_status: 206,
            job_store: None,
            job_lease_ms: 15_000,
            redis_url: None,
            redis_timeout_ms: 250,
            store_key: None,
            rate_limit: RateLimit::default(),
            drain_ms: 0,
            registry_networks: None,
            policies: IndexMap::new(),
            cache: Cache::default(),
            overload: Overload::default(),
            auth: Auth::default(),
            health: Health::default(),
            connections: Connections::default(),
        }
    }
}

/// The response cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// False: no answer is kept.
    pub enabled: bool,
    /// The time for which an answer is fresh.
    pub ttl_ms: u64,
    /// The maximum number of answers; the least useful one is evicted.
    pub entries: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            enabled: true,
            ttl_ms: 300_000,
            entries: 10_000,
        }
    }
}

/// Limits on concurrent and waiting requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overload {
    /// The limit on concurrent requests, adapted to their latency. `slack_ms` counts as at most half of
    /// the shortest SLA, so that requests are refused before they would be late.
    pub limit: resilience::limit::Config,
    /// The number of requests that may wait. As the queue fills, optional detectors are left out; when it
    /// is full, requests are refused, critical ones last.
    pub max_queued: usize,
    /// The maximum wait of a synchronous request.
    pub max_wait_ms: u64,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            limit: resilience::limit::Config {
                initial: 200,
                min: 4,
                max: 10_000,
                slack_ms: 500,
                ..resilience::limit::Config::default()
            },
            max_queued: 200,
            max_wait_ms: 500,
        }
    }
}

/// Authentication and authorisation of callers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    pub mode: AuthMode,
    /// The header with the key.
    pub header: String,
    /// The scopes of a caller without a key if the mode is `optional`. By default such a caller may
    /// send requests and read state, but change nothing.
    pub anonymous: Vec<String>,
    pub keys: Vec<ApiKey>,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            mode: AuthMode::Optional,
            header: "X-API-Key".to_owned(),
            anonymous: scope::ANONYMOUS.map(str::to_owned).to_vec(),
            keys: Vec::new(),
        }
    }
}

/// The treatment of calls without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// A call without a key is anonymous; a wrong key is refused.
    Optional,
    /// A call without a key is refused.
    Required,
    /// Keys are ignored.
    Off,
}

/// A key, with its tenant and scopes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The SHA-256 of the key, 64 hexadecimal digits. The file never contains keys in plain text.
    pub sha256: String,
    /// The tenant that the key stands for.
    pub tenant: String,
    /// The scopes of the key; empty means `orchestrate:write` and `orchestrate:status`.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// Active health probes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// Time from one probe of a detector to the next.
    pub interval_ms: u64,
    /// A probe without an answer after this time has failed.
    pub timeout_ms: u64,
    /// The number of failed probes in a row after which a detector is out of rotation.
    pub unhealthy_after: u32,
    /// The number of successful probes in a row after which it is back.
    pub healthy_after: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            interval_ms: 10_000,
            timeout_ms: 1_000,
            unhealthy_after: 3,
            healthy_after: 1,
        }
    }
}

/// Connections to detectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connections {
    /// The time for which an idle connection is kept. Set it below the time after which the detectors, and
    /// proxies in front of them, close idle connections: 5 s is the shortest common value.
    pub idle_ms: u64,
    /// The maximum age of a connection (randomly up to a fifth less). New connections follow changes of
    /// DNS.
    pub max_age_ms: u64,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            idle_ms: 4_000,
            max_age_ms: 60_000,
        }
    }
}

/// The objectives of runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PerformanceTargets {
    /// The time in which 95 of 100 requests have to be answered.
    pub p95_response_time_ms: u64,
    /// The share of requests that have to succeed, 0 to 1.
    pub success_rate: f64,
    /// The rate of requests that the service has to sustain, checked by `sparring test throughput`:
    /// requests arrive at this rate, whether answered or not, and the share `success_rate` of them has to
    /// be answered. 0: no such target.
    pub throughput_rps: f64,
}

impl Default for PerformanceTargets {
    fn default() -> Self {
        Self {
            p95_response_time_ms: 2_000,
            success_rate: 0.95,
            throughput_rps: 100.0,
        }
    }
}

/// One detector: its endpoint, its capabilities, and the behaviour of its mock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// Its endpoint, as `http://host:port/path`.
    pub endpoint: String,
    /// Further endpoints. Calls are distributed over all of them, and one that fails more often than the
    /// others is ejected for a while. A mock runs only at `endpoint`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// The time limit of an attempt. Absent: `orchestration.default_timeout_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The number of retries of a failed call, within the retry budget.
    #[serde(default = "three")]
    pub max_retries: u32,
    /// The path of health probes.
    #[serde(default = "health_path")]
    pub health_check_path: String,
    /// Its capabilities; a policy may ask for a capability instead of a name.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// The types of content that it accepts; empty means all.
    #[serde(default)]
    pub content_types: Vec<ContentType>,
    /// Other names that requests may use for it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Its weight in coverage and in conflicts.
    #[serde(default = "one")]
    pub weight: f64,
    /// The maximum number of calls in flight.
    #[serde(default = "max_in_flight")]
    pub max_in_flight: usize,
    #[serde(default)]
    pub retry: resilience::retry::Config,
    #[serde(default)]
    pub breaker: resilience::breaker::Config,
    /// Hedging: a second attempt while the first one is slow.
    #[serde(default)]
    pub hedge: resilience::hedge::Config,
    /// The adaptive limit on concurrent calls to one endpoint.
    #[serde(default)]
    pub limit: resilience::limit::Config,
    /// The ejection of an endpoint that fails more often than the others.
    #[serde(default)]
    pub outlier: resilience::outlier::Config,
    /// The effect of a missing answer on the verdict: `closed` blocks, `degrade` degrades, `open` is
    /// only reported. Content that is too large for the detector (413, or an answer that is too long to
    /// be read) blocks in any case.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// A required detector cannot be replaced. It is asked even if a request names its own detectors, a
    /// brown-out never leaves it out, one call per interval is tried even while all its breakers are
    /// open, and the service is ready only while health checks find it healthy. If no detector is
    /// required, one healthy detector is enough to be ready.
    #[serde(default)]
    pub required: bool,
    /// Makes it a shadow of the detector with this name: it is asked after that one, to find out whether
    /// they agree, and its answer is only counted in metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow_of: Option<String>,
    /// The behaviour of its mock.
    #[serde(default)]
    pub mock: Profile,
    /// The wire contract of the detector, mock or real. The orchestrator supports `native` and `fms`.
    #[serde(default)]
    pub dialect: Dialect,
    /// Options of the mock's listener besides plain HTTP/1.1.
    #[serde(default)]
    pub listener: Listener,
}

impl Detector {
    /// The time limit of an attempt, given the fleet's default.
    pub fn timeout(&self, orchestration: &Orchestration) -> Duration {
        Duration::from_millis(self.timeout_ms.unwrap_or(orchestration.default_timeout_ms))
    }

    /// Host and port of the endpoint, which a validated fleet has.
    pub fn authority(&self) -> Option<(String, u16)> {
        let endpoint = Endpoint::parse(&self.endpoint).ok()?;
        Some((endpoint.host, endpoint.port))
    }
}

fn three() -> u32 {
    3
}

fn one() -> f64 {
    1.0
}

fn max_in_flight() -> usize {
    256
}

fn health_path() -> String {
    "/health".to_owned()
}
