//! Metrics of a system's own, beside those that every system has.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// A metric under a name that the system's dashboards know.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    pub name: String,
    pub kind: MetricKind,
    /// What is measured.
    pub of: Subject,
    /// Which of them: values that `component`, `operation`, `endpoint`, `host`, `pool` or `store`
    /// must have.
    #[serde(default, rename = "where")]
    pub only: IndexMap<String, String>,
    /// Labels of the metric; never tenants or ids.
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(default)]
    pub help: String,
}

/// The Prometheus type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    Counter,
    Gauge,
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

/// What a metric can measure, by its name in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    RequestDuration,
    RequestCount,
    RequestErrors,
    VisitDuration,
    VisitDurationMean,
    VisitCount,
    WorkflowDuration,
    WorkflowCompleted,
    BusMessages,
    StoreEntries,
    PoolInUse,
    PoolWaiting,
    PoolIdle,
    PoolStates,
    CacheHitRatio,
    HostCpu,
    HostMemory,
    HubConnections,
    HubMessageDuration,
}

impl Subject {
    /// Names in files, with the kinds of metric that fit.
    pub const ALL: [(&'static str, Self, &'static [MetricKind]); 19] = {
        use MetricKind::{Counter, Gauge, Histogram};
        [
            ("request.duration", Self::RequestDuration, &[Histogram]),
            ("request.count", Self::RequestCount, &[Counter]),
            ("request.errors", Self::RequestErrors, &[Counter]),
            ("visit.duration", Self::VisitDuration, &[Histogram]),
            ("visit.duration_mean_ms", Self::VisitDurationMean, &[Gauge]),
            ("visit.count", Self::VisitCount, &[Counter]),
            ("workflow.duration", Self::WorkflowDuration, &[Histogram]),
            ("workflow.completed", Self::WorkflowCompleted, &[Counter]),
            ("bus.messages", Self::BusMessages, &[Counter]),
            ("store.entries", Self::StoreEntries, &[Gauge]),
            ("pool.in_use", Self::PoolInUse, &[Gauge]),
            ("pool.waiting", Self::PoolWaiting, &[Gauge]),
            ("pool.idle", Self::PoolIdle, &[Gauge]),
            ("pool.states", Self::PoolStates, &[Gauge]),
            ("cache.hit_ratio", Self::CacheHitRatio, &[Gauge]),
            ("host.cpu", Self::HostCpu, &[Gauge]),
            ("host.memory", Self::HostMemory, &[Gauge]),
            ("hub.connections", Self::HubConnections, &[Gauge]),
            (
                "hub.message_duration",
                Self::HubMessageDuration,
                &[Histogram],
            ),
        ]
    };

    /// The kinds of metric that the subject can be.
    pub fn kinds(self) -> &'static [MetricKind] {
        Self::ALL
            .iter()
            .find(|(_, subject, _)| *subject == self)
            .map_or(&[], |(_, _, kinds)| kinds)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::ALL
            .iter()
            .find(|(known, _, _)| *known == name)
            .map(|(_, subject, _)| *subject)
            .ok_or_else(|| {
                let known: Vec<&str> = Self::ALL.iter().map(|(name, _, _)| *name).collect();
                let hint = match live_config::read::nearest(&name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                D::Error::custom(format!("`{name}` is not a subject; {hint}"))
            })
    }
}

impl JsonSchema for Subject {
    fn schema_name() -> Cow<'static, str> {
        "Subject".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Self::ALL.iter().map(|(name, _, _)| *name).collect();
        json_schema!({ "description": "What is measured.", "enum": names })
    }
}
