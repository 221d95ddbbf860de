//! The fleet file's shape. Every field's doc comment is its help text.

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
    /// The file that all this was read from; the built-in fleet has none.
    #[serde(skip)]
    pub path: Option<PathBuf>,
}

/// Where the orchestrator listens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Service {
    /// Address to listen on; `0.0.0.0` for all interfaces.
    pub host: IpAddr,
    /// Port to listen on.
    pub port: u16,
    /// Threads that serve requests. 0: one per core.
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

/// How the orchestrator treats requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Orchestration {
    /// Timeout of a detector that has none of its own.
    pub default_timeout_ms: u64,
    /// Time a synchronous request of normal priority may take.
    pub sync_sla_ms: u64,
    /// Coverage under which an answer is partial (206), 0 to 1.
    pub partial_coverage_threshold: f64,
    /// The HTTP status of a partial answer: 206, 200 or 207.
    pub partial_status: u16,
    /// The file that keeps jobs and idempotency keys. When absent the commands choose one; see
    /// `--data-dir` of `sparring orchestrator`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_store: Option<PathBuf>,
    /// A worker that is not heard of for so long loses its job to another one.
    pub job_lease_ms: u64,
    /// `redis://[user:password@]host:port[/database]`: cache, idempotency keys, rate limits and
    /// jobs are shared by all replicas that name the same one. While it is lost each replica goes
    /// on alone. Jobs are given to a Redis with an append-only file only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_url: Option<SecretUrl>,
    /// How long an answer of Redis is waited for before a replica goes on alone; a connection,
    /// twice as long.
    pub redis_timeout_ms: u64,
    /// Keys that seal what waits in the job store and in Redis: 32 random bytes each in base64
    /// (`openssl rand -base64 32`), separated by commas. The first one seals, all of them open: to
    /// change it, add the new one at the end in every replica, then move it to the front, and leave
    /// the old one away after a day. Without one the job store makes its own, in a file beside it
    /// that only its owner may read; replicas that share a Redis have to be given the same, or
    /// what waits in there can be read by whoever reads Redis or its files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_key: Option<StoreKeys>,
    pub rate_limit: RateLimit,
    /// How long it goes on serving after SIGTERM, when `/health/ready` says so already: as long as
    /// a load balancer needs to notice.
    pub drain_ms: u64,
    /// Networks such as `10.0.0.0/8` in which detectors may be that are registered over the API;
    /// this machine and private networks when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_networks: Option<Vec<String>>,
    /// Policies by tenant and bundle, as the API takes them; the tenant `*` stands for every one
    /// that has none of the name itself. A change is followed while the service runs.
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
    /// False: nothing is kept.
    pub enabled: bool,
    /// How long an answer is fresh.
    pub ttl_ms: u64,
    /// Answers kept at most; the least useful is evicted.
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

/// How many requests are worked on at once, and who waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overload {
    /// Requests under way at once, found by watching their latency. Its `slack_ms` counts as half of
    /// the shortest SLA at most: requests are turned away before they would be late.
    pub limit: resilience::limit::Config,
    /// Requests that wait. As the queue fills, optional detectors are left out; when it is full,
    /// requests are turned away, critical ones last.
    pub max_queued: usize,
    /// The longest that a synchronous request waits.
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

/// Who may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    pub mode: AuthMode,
    /// The header that carries the key.
    pub header: String,
    /// Scopes of a caller without a key where the mode is `optional`. As it is, such a caller may
    /// ask and look and change nothing.
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

/// What a call without a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// No key is anonymous, a wrong key is refused.
    Optional,
    /// No key is refused.
    Required,
    /// Keys are not looked at.
    Off,
}

/// One key: whose it is and what it may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// SHA-256 of the key, 64 hexadecimal digits. Keys never stand in clear in the file.
    pub sha256: String,
    pub tenant: String,
    /// What the key may do; empty means `orchestrate:write` and `orchestrate:status`.
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
    /// Failed probes in a row after which a detector is out of rotation.
    pub unhealthy_after: u32,
    /// Good probes in a row after which it is back.
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
    /// How long one is kept that nothing is sent on. Set it below the time after which the
    /// detectors, and what stands before them, close an idle connection: 5 s is the shortest that
    /// is common.
    pub idle_ms: u64,
    /// How long one is used, up to a fifth less: then a new one is made, so that a name that points
    /// elsewhere now is heard.
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

/// What a run is judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PerformanceTargets {
    /// The time in which 95 of 100 requests have to be answered.
    pub p95_response_time_ms: u64,
    /// Share of requests that succeed, 0 to 1.
    pub success_rate: f64,
    /// Requests per second that the service has to keep up with, judged by `sparring test
    /// throughput`: they arrive at this rate, answered or not, and `success_rate` of them have to be
    /// answered. 0: no such target.
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

/// One detector: how it is called, what it can do, and how its mock behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// Where it is called, as `http://host:port/path`.
    pub endpoint: String,
    /// More endpoints of it: calls are spread over all of them, and one that fails more than the
    /// others is left out for a while. A mock runs at `endpoint` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// Time one attempt may take; `orchestration.default_timeout_ms` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Repeats of a failed call, under the retry budget.
    #[serde(default = "three")]
    pub max_retries: u32,
    #[serde(default = "health_path")]
    pub health_check_path: String,
    /// What it detects; a policy may ask for a capability instead of a name.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Content it takes; empty means all.
    #[serde(default)]
    pub content_types: Vec<ContentType>,
    /// Other names that requests may use for it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Its share in weighted coverage and its say in conflicts.
    #[serde(default = "one")]
    pub weight: f64,
    /// Calls in flight at most.
    #[serde(default = "max_in_flight")]
    pub max_in_flight: usize,
    #[serde(default)]
    pub retry: resilience::retry::Config,
    #[serde(default)]
    pub breaker: resilience::breaker::Config,
    /// A second call beside a slow first one.
    #[serde(default)]
    pub hedge: resilience::hedge::Config,
    /// How many calls one endpoint gets at once, found by watching its latency.
    #[serde(default)]
    pub limit: resilience::limit::Config,
    /// When an endpoint that fails more than the others is left out.
    #[serde(default)]
    pub outlier: resilience::outlier::Config,
    /// What a missing answer does to the verdict: `closed` blocks, `degrade` degrades, `open` is
    /// only named. Content that is too much for the detector (413, or an answer longer than can be
    /// read) blocks in any case.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Nobody can stand in for it: a request that names its own detectors asks it as well, a
    /// brown-out never leaves it out, one call an interval is tried even while all its breakers are
    /// open, and the service is ready only while health checks see it well. Where no detector is
    /// required, one that is well is enough to be ready.
    #[serde(default)]
    pub required: bool,
    /// Makes it a shadow of the detector of this name: it is asked after it, to see whether they
    /// agree, and its answer goes into metrics alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow_of: Option<String>,
    /// How the mock detector of this name behaves.
    #[serde(default)]
    pub mock: Profile,
    /// The wire contract that the detector speaks, a mock or a real one. The orchestrator knows
    /// `native` and `fms`.
    #[serde(default)]
    pub dialect: Dialect,
    /// What the mock's listener offers beside plain HTTP/1.1.
    #[serde(default)]
    pub listener: Listener,
}

impl Detector {
    /// The time one attempt may take, given the fleet's default.
    pub fn timeout(&self, orchestration: &Orchestration) -> Duration {
        Duration::from_millis(self.timeout_ms.unwrap_or(orchestration.default_timeout_ms))
    }

    /// Host and port of the endpoint; the fleet was validated, so both are there.
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
