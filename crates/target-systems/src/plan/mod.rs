//! A compiled system: what the network runs.
//!
//! Plain types in final units, toggles applied, names resolved to places in the lists of
//! [`Plan`]. Whoever builds one (the compiler of documents, or a test) fills the public fields;
//! [`Plan::problems`] says whether its references hold together.

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
    /// Name of the system; part of what every draw depends on.
    pub system: Arc<str>,
    /// Seed of every draw.
    pub seed: u64,
    /// What every request passes first.
    pub edge: Edge,
    pub hosts: Vec<Host>,
    pub components: Vec<Component>,
    pub pools: Vec<Pool>,
    pub stores: Vec<Store>,
    pub endpoints: Vec<Endpoint>,
    /// Multiplies leak rates and divides times to live and retention; 1 is real time.
    pub ageing: f64,
    /// Planned changes, rising in time since the origin. Each plan replaces the whole of this
    /// one but for its timeline, which counts on.
    pub timeline: Vec<Planned>,
}

/// A change that is known ahead: from `at` on, `plan` holds. Its own timeline is not read.
#[derive(Debug, Clone)]
pub struct Planned {
    pub at: Duration,
    pub plan: Arc<Plan>,
}

/// What stands in front of all flows.
#[derive(Debug, Clone)]
pub struct Edge {
    /// Place in [`Plan::hosts`]: whose CPU, link and memory requests take.
    pub host: usize,
    /// Requests in the house; one more is refused with `queue_full` 503.
    pub max_in_flight: usize,
    /// From arrival; then the answer is `timeout` 504 and the rest is cancelled.
    pub deadline: Option<Duration>,
    pub cpu_ms: Option<Amount>,
    /// Added to the real bytes of each request, in kB of 1 000 bytes.
    pub network_kb: Option<Amount>,
    /// Beyond it: `rate_limited` 429.
    pub rate_limit: Option<RateLimit>,
}

/// Connections that are shared by flows.
#[derive(Debug, Clone)]
pub struct Pool {
    pub name: Arc<str>,
    pub size: usize,
    /// Waiting longer ends `pool_exhausted` 500. `None`: waits until the deadline.
    pub wait: Option<Duration>,
}

/// What a system keeps between requests.
#[derive(Debug, Clone)]
pub struct Store {
    pub name: Arc<str>,
    /// Place in [`Plan::hosts`]: whose memory (and disk, where that is limited) entries take, and
    /// with whose instances they are lost. `None`: nobody's.
    pub host: Option<usize>,
    /// Rows at most.
    pub capacity: usize,
    /// From the last change of an entry, before [`Plan::ageing`]. `None`: for ever.
    pub ttl: Option<Duration>,
    /// From reaching the last of `states`, before [`Plan::ageing`], in place of `ttl`.
    pub retain_after_end: Option<Duration>,
    /// Rows under one id at most; the oldest goes.
    pub per_key: Option<usize>,
    /// In kB of 1 024 bytes, for each row.
    pub per_entry_kb: f64,
    /// A linear machine: an entry moves forward only, and leaves the last state never.
    pub states: Vec<Arc<str>>,
    /// Rows that are there at the beginning; they count, take room and are found by their
    /// numbers, from 1.
    pub populate: usize,
    pub at_capacity: AtCapacity,
}

/// What a full store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtCapacity {
    /// The write fails with `disk_full` 507.
    Refuse,
    /// The oldest entry goes, and is counted.
    Evict,
}

impl Plan {
    /// A system without limits, components and endpoints, to be filled.
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
