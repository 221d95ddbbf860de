//! The measurements of a set of requests.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A set of requests of one window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// The executed length of the window: for a whole test its phases, and the requests that end after them.
    pub seconds: f64,
    pub requests: u64,
    /// Requests that failed: a status of 400 or more, no response, or a failed check of the class.
    pub failures: u64,
    /// Requests per second, failures included; `null` for an empty window.
    pub requests_per_s: Option<f64>,
    /// Latency of all requests, from the time of sending; `null` without requests.
    pub latency: Option<Latency>,
    /// Latency from the planned time of sending; only for open tests.
    pub intended_latency: Option<Latency>,
    /// The mean number of users in the window.
    pub users: Option<f64>,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// Bytes of the decoded bodies of responses; `null` where they were not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_bytes: Option<u64>,
}

/// Latencies in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    pub mean: f64,
    pub standard_deviation: f64,
    pub min: f64,
    pub max: f64,
    /// By percentile, such as `"p50"`, `"p95"`, `"p99.9"`.
    pub percentiles: BTreeMap<String, f64>,
    /// 95 % confidence intervals by percentile, if there are enough requests.
    pub intervals: BTreeMap<String, [f64; 2]>,
}

/// The percentiles in a record, with their keys in ascending order.
pub const PERCENTILES: [(&str, f64); 12] = [
    ("p50", 0.5),
    ("p60", 0.6),
    ("p66", 0.66),
    ("p75", 0.75),
    ("p80", 0.8),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p98", 0.98),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
    ("p100", 1.0),
];

/// The requests of one name and class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    pub method: String,
    /// The request's name: a route with placeholders, never an id.
    pub name: String,
    pub class: Option<String>,
    pub figures: Figures,
    /// Requests by status, `"0"` for those without a response.
    pub statuses: BTreeMap<String, u64>,
    /// Failed requests by message, the most frequent first.
    pub errors: Vec<(String, u64)>,
    /// The first and the last occurrence of each message, in seconds from the start of the test.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub error_times: BTreeMap<String, [f64; 2]>,
    /// The seconds that had requests; only for the busiest endpoints of a test.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seconds: Vec<EndpointSecond>,
}

/// The requests of an endpoint in one second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointSecond {
    /// Seconds from the start of the test.
    pub at_s: u32,
    pub requests: u64,
    pub failures: u64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
}

/// One second of a test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Second {
    /// Seconds from the start of the test.
    pub at_s: f64,
    pub users: Option<f64>,
    pub requests: u64,
    pub failures: u64,
    pub mean_ms: Option<f64>,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// The shortest and the longest latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
    /// Bytes of the decoded bodies of responses, where they are measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_bytes: Option<u64>,
    pub dropped_iterations: u64,
}

/// The method and the name of requests; a name that begins with its method is used alone.
pub fn route(method: &str, name: &str) -> String {
    let has_method = name
        .strip_prefix(method)
        .is_some_and(|rest| rest.starts_with(' '));
    if has_method || method.is_empty() {
        name.to_owned()
    } else {
        format!("{method} {name}")
    }
}

impl Figures {
    /// Failed requests / all requests; `None` without requests.
    pub fn error_rate(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.failures as f64 / self.requests as f64)
    }

    /// Successful requests / all requests; `None` without requests.
    pub fn success_rate(&self) -> Option<f64> {
        self.error_rate().map(|rate| 1.0 - rate)
    }

    /// Successful requests per second; `None` for an empty window.
    pub fn successes_per_s(&self) -> Option<f64> {
        (self.seconds > 0.0)
            .then(|| (self.requests - self.failures.min(self.requests)) as f64 / self.seconds)
    }

    /// The mean size of a response's body; `None` without requests, or where sizes were not measured.
    pub fn mean_content_bytes(&self) -> Option<f64> {
        let bytes = self.content_bytes.filter(|_| self.requests > 0)?;
        Some(bytes as f64 / self.requests as f64)
    }

    /// A percentile of [`PERCENTILES`] by its key, in milliseconds.
    pub fn percentile(&self, key: &str) -> Option<f64> {
        self.latency.as_ref()?.percentiles.get(key).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::route;

    #[test]
    fn a_method_stands_once() {
        let check = |method, name, text| assert_eq!(route(method, name), text);
        check("GET", "/a", "GET /a");
        check("GET", "GET /a", "GET /a");
        check("GET", "GETTING", "GET GETTING");
        check("POST", "GET /a", "POST GET /a");
        check("", "/a", "/a");
    }
}
