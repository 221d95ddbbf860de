//! All options of a run, with k6's names, defaults and errors.

use std::time::Duration;

use indexmap::IndexMap;
use load_metrics::SystemTags;
use serde_json::Value;

/// The options of one layer, or of all layers together; `None` is "not set". Readers that need a
/// value use the methods, which know the defaults.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    pub paused: Option<bool>,
    pub no_setup: Option<bool>,
    pub no_teardown: Option<bool>,
    pub setup_timeout: Option<Duration>,
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
    /// CIDR blocks.
    pub blacklist_ips: Option<Vec<String>>,
    /// Host names, with an optional leading `*`.
    pub block_hostnames: Option<Vec<String>>,
    /// `host[:port]` or `*.x` to `ip[:port]`.
    pub hosts: Option<IndexMap<String, String>>,
    pub no_connection_reuse: Option<bool>,
    pub no_vu_connection_reuse: Option<bool>,
    pub min_iteration_duration: Option<Duration>,
    pub summary_trend_stats: Option<Vec<String>>,
    pub summary_time_unit: Option<String>,
    pub system_tags: Option<SystemTags>,
    pub tags: Option<IndexMap<String, String>>,
    pub no_cookies_reset: Option<bool>,
    pub discard_response_bodies: Option<bool>,
    pub console_output: Option<String>,
    pub local_ips: Option<String>,
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

/// The TLS versions that may be used, as `tls1.2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsVersions {
    pub min: String,
    pub max: String,
}

/// A client certificate, for all hosts or for some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsAuth {
    pub cert: String,
    pub key: String,
    pub password: Option<String>,
    pub domains: Vec<String>,
}

impl Options {
    /// As `exec.test.options` shows them.
    pub fn to_json(&self) -> Value {
        Value::Object(serde_json::Map::new())
    }
}
