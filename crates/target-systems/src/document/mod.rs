//! The document: a system in the form that people write.

mod amount;
mod check;
mod component;
mod endpoint;
mod expression;
mod flow;
mod host;
mod metric;
mod operation;
mod store;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

pub use amount::{Amount, Switch};
pub(crate) use check::check;
pub use component::{
    Balance, Batch, Component, Compress, Discipline, HostChoice, Kind, Overflow, Popularity,
    Population, Queue, Slo,
};
pub use endpoint::{
    Auth, AuthMode, Bounds, Drawn, Edge, Endpoint, Example, FieldType, Mix, MixEntry, RequestShape,
    ResponseSpec,
};
pub(crate) use expression::is_name;
pub use expression::{Expression, Place, Source};
pub(crate) use flow::call;
pub use flow::{
    CacheKey, Cached, Choice, Each, Fail, Flow, If, Later, OnError, Parallel, Publish, State, Step,
    Using, Visit, When,
};
pub use host::{Autoscale, ComponentUsl, Crash, Garbage, Host, HostUsl, InFlight, Leak, Usl};
pub use metric::{Metric, MetricKind, Subject};
pub use operation::{Factor, Operation, Per};
pub use store::{AtCapacity, Pool, Store, Toggle};

/// A simulated system.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The system's name.
    pub system: String,
    /// A description for people.
    #[serde(default)]
    pub description: String,
    /// Seed of all random draws.
    #[serde(default)]
    pub seed: u64,
    /// The factor by which leaks and expiries are accelerated.
    #[serde(default = "real_time")]
    pub ageing: f64,
    #[serde(default)]
    pub edge: Edge,
    /// Mixes of endpoints by name; each names its endpoints with their weights.
    #[serde(default)]
    pub mixes: IndexMap<String, Mix>,
    /// The machines, by name.
    #[serde(default)]
    pub hosts: IndexMap<String, Host>,
    /// The components that requests visit, by name.
    pub components: IndexMap<String, Component>,
    /// Pools of connections, by name.
    #[serde(default)]
    pub pools: IndexMap<String, Pool>,
    /// Stores of entries, by name.
    #[serde(default)]
    pub stores: IndexMap<String, Store>,
    /// Features that can be switched on and off, by name.
    #[serde(default)]
    pub toggles: IndexMap<String, Toggle>,
    /// The routes, by name.
    pub endpoints: IndexMap<String, Endpoint>,
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// Planned changes.
    #[serde(default)]
    pub timeline: Vec<Change>,
}

/// A planned change.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Time since the start.
    pub at_ms: f64,
    /// Its length. Absent: unlimited.
    pub for_ms: Option<f64>,
    /// A merge patch of the document.
    pub set: Value,
}

fn real_time() -> f64 {
    1.0
}
