//! Observations beside the requests.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Samples and events of a test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// The source of the target's figures: `simulated`, `cgroup`, `pid`, `host`, `prometheus`.
    pub target_source: Option<String>,
    pub target: Vec<ResourceSample>,
    /// The driver's own process.
    pub generator: Vec<ResourceSample>,
    /// The process of a simulated target, which is never shown as the target's resources.
    pub simulator: Vec<ResourceSample>,
    pub events: Vec<Event>,
}

/// The resources of one process, host or simulated part at one time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceSample {
    /// Seconds from the start of the test.
    pub at_s: f64,
    /// The host or part, if there are several.
    pub host: Option<String>,
    /// Busy cores / available cores.
    pub cpu_ratio: Option<f64>,
    pub cpu_cores: Option<f64>,
    /// Memory in use / available memory.
    pub memory_ratio: Option<f64>,
    pub memory_bytes: Option<u64>,
    pub disk_read_bytes_per_s: Option<f64>,
    pub disk_written_bytes_per_s: Option<f64>,
    pub disk_ratio: Option<f64>,
    pub network_received_bytes_per_s: Option<f64>,
    pub network_sent_bytes_per_s: Option<f64>,
    pub network_ratio: Option<f64>,
    pub descriptors: Option<u64>,
    pub threads: Option<u64>,
    pub sockets: Option<u64>,
    /// Pressure stall information, share of the last 10 seconds: `cpu`, `memory`, `io`.
    pub pressure: BTreeMap<String, f64>,
    pub steal_ratio: Option<f64>,
    /// Further figures by name, such as the utilisation of a pool.
    pub other: BTreeMap<String, f64>,
}

/// An event during a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Seconds from the start of the test.
    pub at_s: f64,
    pub kind: EventKind,
    /// One sentence.
    pub text: String,
    /// The data of the event for programs.
    pub detail: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Phase,
    Setting,
    FaultInjected,
    /// The alias is the name in records of earlier versions.
    #[serde(alias = "fault_taken_back")]
    FaultReverted,
    Reaction,
    Alert,
    AlertResolved,
    Warning,
    Interrupted,
}
