//! All options of a run, with k6's names, defaults and errors.
//!
//! Every layer (config file, script, environment, flags) is read into [`Options`]; [`layer::merge`] merges
//! them, [`derive::scenarios`] turns the shortcuts into scenarios and [`validate::scenarios`] refuses what
//! cannot run.

mod cipher_suites;
pub mod derive;
pub mod duration;
pub mod environment;
pub mod json;
pub mod layer;
pub mod scenario;
mod stage;
pub mod validate;
mod value;
pub mod write;

use std::time::Duration;

use indexmap::IndexMap;
use load_metrics::{SystemTag, SystemTags};
use serde_json::Value;

pub use scenario::{Executor, Scenario, Stage};
pub use value::OptionError;

/// The options of one layer, or of all layers together; `None` is "not set". Readers that need a
/// value use the methods, which know the defaults.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    pub paused: Option<bool>,
    pub vus: Option<i64>,
    pub duration: Option<Duration>,
    pub iterations: Option<i64>,
    pub stages: Option<Vec<Stage>>,
    pub scenarios: Option<Vec<Scenario>>,
    pub execution_segment: Option<String>,
    pub execution_segment_sequence: Option<String>,
    pub no_setup: Option<bool>,
    pub setup_timeout: Option<Duration>,
    pub no_teardown: Option<bool>,
    pub teardown_timeout: Option<Duration>,
    pub handle_summary_timeout: Option<Duration>,
    /// Requests per second of the whole process; 0 is unlimited.
    pub rps: Option<i64>,
    pub dns: Option<Dns>,
    pub max_redirects: Option<i64>,
    pub user_agent: Option<String>,
    pub batch: Option<i64>,
    pub batch_per_host: Option<i64>,
    /// ``, `headers` or `full`.
    pub http_debug: Option<String>,
    pub insecure_skip_tls_verify: Option<bool>,
    /// IANA names.
    pub tls_cipher_suites: Option<Vec<String>>,
    pub tls_version: Option<TlsVersions>,
    pub tls_auth: Option<Vec<TlsAuth>>,
    pub throw: Option<bool>,
    pub thresholds: Option<IndexMap<String, Vec<Threshold>>>,
    /// CIDR blocks.
    pub blacklist_ips: Option<Vec<String>>,
    /// Host names, with an optional leading `*`.
    pub block_hostnames: Option<Vec<String>>,
    /// `host[:port]` or `*.x` to `ip[:port]`.
    pub hosts: Option<IndexMap<String, String>>,
    pub no_connection_reuse: Option<bool>,
    pub no_vu_connection_reuse: Option<bool>,
    pub min_iteration_duration: Option<Duration>,
    pub cloud: Option<Value>,
    pub ext: Option<Value>,
    pub summary_trend_stats: Option<Vec<String>>,
    pub summary_time_unit: Option<String>,
    pub system_tags: Option<SystemTags>,
    pub tags: Option<IndexMap<String, String>>,
    pub metric_samples_buffer_size: Option<i64>,
    pub no_cookies_reset: Option<bool>,
    pub discard_response_bodies: Option<bool>,
    pub features: Option<Vec<String>>,
    pub console_output: Option<String>,
    pub local_ips: Option<String>,
}

/// A threshold as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// The expression, `p(95)<200`.
    pub expression: String,
    /// Whether the run ends when it fails.
    pub abort_on_fail: bool,
    /// How long its evaluation is delayed.
    pub delay_abort_eval: Option<Duration>,
}

/// How names are resolved.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dns {
    /// `5m`, `inf` or `0`.
    pub ttl: Option<String>,
    /// `random`, `first` or `roundRobin`.
    pub select: Option<String>,
    /// `preferIPv4`, `preferIPv6`, `onlyIPv4`, `onlyIPv6` or `any`.
    pub policy: Option<String>,
}

/// The TLS versions that may be used, as `tls1.2`; empty is "no limit".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsVersions {
    pub min: String,
    pub max: String,
}

/// A client certificate, for all hosts or for some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsAuth {
    pub cert: String,
    pub key: String,
    pub password: Option<String>,
    pub domains: Vec<String>,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Options {
    /// The time that `setup` may take.
    pub fn setup_timeout(&self) -> Duration {
        self.setup_timeout.unwrap_or(MINUTE)
    }

    /// The time that `teardown` may take.
    pub fn teardown_timeout(&self) -> Duration {
        self.teardown_timeout.unwrap_or(MINUTE)
    }

    /// The time that `handleSummary` may take.
    pub fn handle_summary_timeout(&self) -> Duration {
        self.handle_summary_timeout.unwrap_or(2 * MINUTE)
    }

    /// The system tags.
    pub fn system_tags(&self) -> SystemTags {
        self.system_tags.unwrap_or_default()
    }

    /// Whether a system tag is enabled.
    pub fn has_system_tag(&self, tag: SystemTag) -> bool {
        self.system_tags().has(tag)
    }

    /// The value of `dns.ttl`, if it is invalid.
    pub fn bad_dns_ttl(&self) -> Option<&str> {
        let ttl = self.dns.as_ref()?.ttl.as_deref()?;
        let is_good = ttl.is_empty() || ttl == "inf" || duration::parse_extended(ttl).is_ok();
        (!is_good).then_some(ttl)
    }

    /// The statistics of a trend in the summary.
    pub fn summary_trend_stats(&self) -> Vec<String> {
        let default = || {
            DEFAULT_TREND_STATS
                .iter()
                .map(|&stat| stat.to_owned())
                .collect()
        };
        self.summary_trend_stats.clone().unwrap_or_else(default)
    }

    /// The scenarios (after derivation).
    pub fn scenarios(&self) -> &[Scenario] {
        self.scenarios.as_deref().unwrap_or_default()
    }
}

/// The default statistics of a trend in the summary.
pub const DEFAULT_TREND_STATS: [&str; 6] = ["avg", "min", "med", "max", "p(90)", "p(95)"];
