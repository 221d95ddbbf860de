//! The messages between runners and the collector, as JSON over HTTP.

use load_metrics::Registry;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A runner joins the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joining {
    /// Unique among the runners of a run.
    pub name: String,
    /// Its part of the test, 0 to 1.
    pub share: f64,
    pub script: String,
    /// The thresholds in the format of k6 options.
    pub thresholds: Value,
    /// The metrics that thresholds may use.
    pub metrics: Vec<MetricName>,
    /// Whether the script has a `teardown` function.
    pub has_teardown: bool,
    /// The options of its summary.
    #[serde(default)]
    pub summary: SummaryOptions,
}

/// The options of a summary.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SummaryOptions {
    /// The statistics of trends, as `p(95)`.
    pub trend_stats: Vec<String>,
    /// ``, `s`, `ms` or `us`.
    pub time_unit: String,
}

/// The response to a runner that joins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Its number, from 1, and the number of runners.
    pub place: usize,
    pub of: usize,
    /// A runner that is silent for this time is lost.
    pub lost_after_ms: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricName {
    pub name: String,
    /// `counter`, `gauge`, `rate` or `trend`.
    pub kind: String,
    /// `default`, `time` or `data`.
    pub contains: String,
}

impl MetricName {
    /// All metrics of a run, without sub-metrics.
    pub fn all_of(registry: &Registry) -> Vec<Self> {
        let all = registry.all().into_iter();
        all.filter(|metric| metric.filter.is_none())
            .map(|metric| Self {
                name: metric.name,
                kind: metric.kind.to_string(),
                contains: metric.contains.to_string(),
            })
            .collect()
    }
}

/// The collector's clock, for the common start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// Milliseconds since 1970.
    pub unix_ms: f64,
}

/// The runner that sends the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Who {
    pub name: String,
}

/// The role of a runner in `setup`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// It is the one that runs `setup`.
    Run,
    /// Another runner runs it.
    Wait,
    /// It has run, with this result.
    Take(Value),
}

/// What `setup` returned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupData {
    pub name: String,
    pub data: Value,
}

/// When all begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// Milliseconds since 1970 by the collector's clock; `None` until all are ready.
    pub at_unix_ms: Option<f64>,
    pub stop: Option<String>,
}

/// The measurements of a runner since its last push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    pub name: String,
    /// Sequence number from 1; a repeated push is ignored.
    pub sequence: u64,
    /// Start of its scenarios by the collector's clock; `None` before.
    pub began_unix_ms: Option<f64>,
    pub sinks: Vec<SinkOf>,
    pub intervals: Vec<Interval>,
}

/// The aggregate of a metric or sub-metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkOf {
    /// Sub-metrics with their selector.
    pub metric: String,
    pub sink: Counted,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    Counter {
        sum: f64,
        samples: u64,
    },
    Gauge {
        value: f64,
        min: f64,
        max: f64,
        samples: u64,
    },
    Rate {
        trues: u64,
        total: u64,
    },
    /// Values by bucket; the sum of the values, the smallest and the largest.
    Trend {
        counts: Vec<(i64, u64)>,
        sum: f64,
        min: f64,
        max: f64,
    },
}

/// The latencies of an endpoint's requests in one second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    pub begin_ms: u64,
    pub endpoint: String,
    /// HDR V2 deflate in base64; microseconds.
    pub histogram: String,
    pub failures: u64,
}

/// A runner has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    pub name: String,
    pub run_time_ms: f64,
    /// Why it ended before its planned end.
    pub ended_early: Option<String>,
    /// Samples that are missing from its pushes.
    pub lost_samples: u64,
    pub checks: Vec<CheckOf>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckOf {
    pub name: String,
    /// The path of its group; empty for the root.
    #[serde(default)]
    pub group: String,
    pub passes: u64,
    pub fails: u64,
}

/// The response to every request of a runner: whether it has to end, and why.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reply {
    pub stop: Option<String>,
}

/// Whether a runner may run `teardown` now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Teardown {
    /// Another runner runs it, or has run it.
    No,
    /// Not yet decided, because others are still running.
    Wait,
    Run,
}
