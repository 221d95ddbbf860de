//! A compiled system, which the network runs.
//!
//! Plain types in final units, after toggles are applied and names are resolved to indices in the lists of
//! [`Plan`]. Code that builds one (the compiler of documents, or a test) fills the public fields;
//! [`Plan::problems`] checks whether its references are consistent.

mod component;
mod demand;
mod flow;
mod host;
mod problems;
mod value;

use std::sync::Arc;
use std::time::Duration;

use fault_profile::rate_limit::RateLimit;

pub use component::{
    Balance, Batch, Bus, Cache, Component, Compression, Discipline, Hub, Overflow, Popularity,
    Population, Queue, Usl,
};
pub use demand::{Amount, Demand, Expression, Factor, Operation, Per};
pub use flow::{
    Block, CacheKey, Cached, Call, Case, Each, Endpoint, Failure, Identity, Later, OnError, Order,
    Publish, Share, StateAction, StateStep, Step, Using, Visit,
};
pub use host::{Autoscale, Crash, CrashAnswer, Garbage, Host, Leak};
pub use value::{Path, PathRoot, Value};

/// A whole system at one revision.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the system, on which every random draw depends.
    pub system: Arc<str>,
    /// Seed of all random draws.
    pub seed: u64,
    /// The processing in front of every flow.
    pub edge: Edge,
    pub hosts: Vec<Host>,
    pub components: Vec<Component>,
    pub pools: Vec<Pool>,
    pub stores: Vec<Store>,
    pub endpoints: Vec<Endpoint>,
    /// Multiplies leak rates, and divides lifetimes and retention; 1 is real time.
    pub ageing: f64,
    /// Planned changes, ascending in time since the origin. Each plan replaces this one except for its
    /// timeline, which continues.
    pub timeline: Vec<Planned>,
}

/// A planned change: from `at` on, `plan` is in force. Its own timeline is not read.
#[derive(Debug, Clone)]
pub struct Planned {
    pub at: Duration,
    pub plan: Arc<Plan>,
}

/// The processing in front of all flows.
#[derive(Debug, Clone)]
pub struct Edge {
    /// Index in [`Plan::hosts`]: the host whose CPU, link and memory requests use.
    pub host: usize,
    /// Maximum number of requests in flight; further ones are rejected with `queue_full` 503.
    pub max_in_flight: usize,
    /// From the arrival; then the response is `timeout` 504 and the rest is cancelled.
    pub deadline: Option<Duration>,
    pub cpu_ms: Option<Amount>,
    /// Added to the real bytes of each request, in kB of 1 000 bytes.
    pub network_kb: Option<Amount>,
    /// Requests beyond it get `rate_limited` 429.
    pub rate_limit: Option<RateLimit>,
}

/// Connections shared by flows.
#[derive(Debug, Clone)]
pub struct Pool {
    pub name: Arc<str>,
    pub size: usize,
    /// A longer wait fails with `pool_exhausted` 500. `None`: waits until the deadline.
    pub wait: Option<Duration>,
}

/// The state of a system between requests.
#[derive(Debug, Clone)]
pub struct Store {
    pub name: Arc<str>,
    /// Index in [`Plan::hosts`]: the host whose memory (and disk, if limited) the entries use; they are
    /// lost with its instances. `None`: no host.
    pub host: Option<usize>,
    /// Maximum number of rows.
    pub capacity: usize,
    /// From the last change of an entry, before [`Plan::ageing`]. `None`: unlimited.
    pub ttl: Option<Duration>,
    /// From reaching the last of `states`, before [`Plan::ageing`], in place of `ttl`.
    pub retain_after_end: Option<Duration>,
    /// Maximum number of rows under one id; beyond it the oldest is removed.
    pub per_key: Option<usize>,
    /// In kB of 1 024 bytes, for each row.
    pub per_entry_kb: f64,
    /// A linear state machine: an entry only moves forward, and never leaves the last state.
    pub states: Vec<Arc<str>>,
    /// Number of initial rows; they count, use memory and have numbers from 1 as ids.
    pub populate: usize,
    pub at_capacity: AtCapacity,
}

/// The behaviour of a full store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtCapacity {
    /// The write fails with `disk_full` 507.
    Refuse,
    /// The oldest entry is evicted, and counted.
    Evict,
}

impl Plan {
    /// A system without limits, components and endpoints, as a starting point.
    pub fn new(system: &str, seed: u64) -> Self {
        Self {
            system: system.into(),
            seed,
            edge: Edge::default(),
            hosts: vec![Host::unlimited("edge")],
            components: Vec::new(),
            pools: Vec::new(),
            stores: Vec::new(),
            endpoints: Vec::new(),
            ageing: 1.0,
            timeline: Vec::new(),
        }
    }
}

impl Default for Edge {
    fn default() -> Self {
        Self {
            host: 0,
            max_in_flight: 100_000,
            deadline: None,
            cpu_ms: None,
            network_kb: None,
            rate_limit: None,
        }
    }
}
