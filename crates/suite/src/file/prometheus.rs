//! A Prometheus that watches the target.

use schemars::JsonSchema;
use serde::Deserialize;

/// The Prometheus that is queried after each test. Its values are shown beside those of the run and never replace
/// them. In a query, `$selector` is replaced by the selector, and `$window` by the length of the judged time, such as
/// `590s`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prometheus {
    /// Its base URL; `--prometheus` takes precedence.
    pub url: Option<String>,
    /// Label matchers of the target's series, such as `job="shop"`. Absent: `instance` is the host and port of the
    /// target.
    pub selector: Option<String>,
    /// Busy cores. Absent: `process_cpu_seconds_total`.
    pub cpu_cores: Option<String>,
    /// Bytes in use. Absent: `process_resident_memory_bytes`.
    pub memory_bytes: Option<String>,
    /// Responses per second. Absent: `http_requests_total`.
    pub requests_per_s: Option<String>,
}
