//! Metrics that a system declares, in addition to those of every system.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// A metric under a name that existing dashboards use.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Letters, digits, `_` and `:`; the prefix `sparring_` is reserved for the metrics of every system.
    pub name: String,
    /// The Prometheus type, which has to match the subject.
    pub kind: MetricKind,
    /// The subject of the metric.
    pub of: Subject,
    /// A filter: required values of `component`, `operation`, `endpoint`, `host`, `pool` or `store`.
    #[serde(default, rename = "where")]
    pub only: IndexMap<String, String>,
    /// Labels of the metric, which cannot be tenants or ids.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The help text of the metric.
    #[serde(default)]
    pub help: String,
}

/// The Prometheus type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// A count that only grows.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

impl MetricKind {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The subject of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
pub enum Subject {
    /// Seconds from request to response: a histogram, by endpoint, method, path, status and error type.
    #[serde(rename = "request.duration")]
    RequestDuration,
    /// Responses: a counter, with the same labels.
    #[serde(rename = "request.count")]
    RequestCount,
    /// Responses with an error: a counter, with the same labels.
    #[serde(rename = "request.errors")]
    RequestErrors,
    /// Seconds of a visit: a histogram, by component and operation.
    #[serde(rename = "visit.duration")]
    VisitDuration,
    /// Mean milliseconds of the visits of the last minute: a gauge, by component.
    #[serde(rename = "visit.duration_mean_ms")]
    VisitDurationMean,
    /// Visits: a counter, by component and operation.
    #[serde(rename = "visit.count")]
    VisitCount,
    /// Seconds of requests whose flow moves an entry to its last state: a histogram, by endpoint and store.
    #[serde(rename = "workflow.duration")]
    WorkflowDuration,
    /// Such requests that succeeded: a counter, with the same labels.
    #[serde(rename = "workflow.completed")]
    WorkflowCompleted,
    /// Messages: a counter, by component.
    #[serde(rename = "bus.messages")]
    BusMessages,
    /// Entries: a gauge, by store.
    #[serde(rename = "store.entries")]
    StoreEntries,
    /// Connections in use: a gauge, by pool.
    #[serde(rename = "pool.in_use")]
    PoolInUse,
    /// Requests that wait for a connection: a gauge, by pool.
    #[serde(rename = "pool.waiting")]
    PoolWaiting,
    /// Idle connections: a gauge, by pool.
    #[serde(rename = "pool.idle")]
    PoolIdle,
    /// Connections and waiting requests: a gauge, by pool and state (`active`, `idle`, `waiting`).
    #[serde(rename = "pool.states")]
    PoolStates,
    /// Share of the lookups of the last minute that were hits: a gauge, by component.
    #[serde(rename = "cache.hit_ratio")]
    CacheHitRatio,
    /// CPU seconds of all cores: a gauge, by host.
    #[serde(rename = "host.cpu")]
    HostCpu,
    /// Bytes in use: a gauge, by host.
    #[serde(rename = "host.memory")]
    HostMemory,
    /// Open sockets: a gauge.
    #[serde(rename = "hub.connections")]
    HubConnections,
    /// Seconds from a message to its delivery: a histogram.
    #[serde(rename = "hub.message_duration")]
    HubMessageDuration,
}

impl Subject {
    /// The Prometheus type of the subject.
    pub fn kind(self) -> MetricKind {
        match self {
            Self::RequestDuration
            | Self::VisitDuration
            | Self::WorkflowDuration
            | Self::HubMessageDuration => MetricKind::Histogram,
            Self::RequestCount
            | Self::RequestErrors
            | Self::VisitCount
            | Self::WorkflowCompleted
            | Self::BusMessages => MetricKind::Counter,
            Self::VisitDurationMean
            | Self::StoreEntries
            | Self::PoolInUse
            | Self::PoolWaiting
            | Self::PoolIdle
            | Self::PoolStates
            | Self::CacheHitRatio
            | Self::HostCpu
            | Self::HostMemory
            | Self::HubConnections => MetricKind::Gauge,
        }
    }
}
