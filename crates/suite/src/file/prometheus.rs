//! A Prometheus that watches the target.

use schemars::JsonSchema;
use serde::Deserialize;

/// What a Prometheus is asked after each test. Its values stand beside those of the run, never in their
/// place. In a query, `$selector` and `$window` are replaced: by the selector, and by the length of the
/// judged time, such as `590s`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prometheus {
    /// Its base URL; `--prometheus` goes before it.
    pub url: Option<String>,
    /// Which series are the target's, as label matchers such as `job="shop"`. Absent: `instance` is the
    /// host and port of the target.
    pub selector: Option<String>,
    /// Busy cores. Absent: `process_cpu_seconds_total`.
    pub cpu_cores: Option<String>,
    /// Bytes in use. Absent: `process_resident_memory_bytes`.
    pub memory_bytes: Option<String>,
    /// Answers per second. Absent: `http_requests_total`.
    pub requests_per_s: Option<String>,
}
