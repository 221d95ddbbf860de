//! Components: the parts that requests visit.

use std::sync::Arc;
use std::time::Duration;

use fault_profile::Model;

use super::Operation;

/// Something with workers on a host; each instance of the host has its own.
#[derive(Debug, Clone)]
pub struct Component {
    pub name: Arc<str>,
    /// A label only (`service`, `agent`, …): the features of a kind are in the fields below.
    pub kind: Arc<str>,
    /// Index in [`super::Plan::hosts`].
    pub host: usize,
    /// Workers of each instance, held for the whole visit. `None`: unlimited.
    pub slots: Option<usize>,
    pub queue: Queue,
    pub balance: Balance,
    /// n visits in their service time share C(n) = n / (1 + sigma (n − 1) + kappa n (n − 1)).
    pub usl_concurrency: Option<Usl>,
    pub operations: Vec<Operation>,
    /// Injected failures and latency, named `system/component`.
    pub faults: Option<Arc<Model>>,
    pub cache: Option<Cache>,
    pub bus: Option<Bus>,
    pub hub: Option<Hub>,
}

/// The queue for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Maximum number of waiting visits: per instance, or in total with [`Balance::SharedQueue`].
    pub capacity: usize,
    pub discipline: Discipline,
    /// A longer wait fails with `queue_timeout` 503.
    pub patience: Option<Duration>,
    pub overflow: Overflow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discipline {
    Fifo,
    Lifo,
}

/// The result of a visit that finds the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// Fails with `queue_full` and this status.
    Reject(u16),
    /// No response; the caller's timeout or deadline ends the visit.
    Hang,
}

/// How the instance of a visit is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    RoundRobin,
    Random,
    LeastInFlight,
    /// One queue for all instances.
    SharedQueue,
}

/// Coefficients of the Universal Scalability Law (Gunther, 1993).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// Contention.
    pub sigma: f64,
    /// Coherency.
    pub kappa: f64,
}

/// An exact LRU over key numbers, one for each instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Cache {
    /// The population of random keys, for steps that use it.
    pub population: Option<Population>,
    /// Maximum number of entries per instance.
    pub capacity: usize,
    /// From the time of filling, before the plan's ageing. `None`: unlimited.
    pub ttl: Option<Duration>,
    /// In kB of 1 024 bytes. An entry for which memory has no space evicts the oldest.
    pub entry_kb: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Population {
    pub keys: u64,
    pub popularity: Popularity,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Popularity {
    Uniform,
    /// Key k is looked up in proportion to k^−s.
    Zipf(f64),
}

/// The additional properties of a bus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bus {
    pub batch: Batch,
    pub compress: Option<Compression>,
    /// The time that each publish waits before its messages are sent.
    pub connect: Duration,
}

/// A batch takes the overhead and the sum of its messages' service in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// 1: each message is sent alone, with the overhead.
    pub max_items: usize,
    /// From the first message until an incomplete batch is sent.
    pub wait: Duration,
    pub overhead: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compression {
    /// Compressed size / original size.
    pub ratio: f64,
    /// CPU time per kB (1 000 bytes) before compression.
    pub cpu_ms_per_kb: f64,
}

/// Open connections of a component.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hub {
    /// In all instances; further ones are rejected with `unavailable` 503.
    pub max_connections: usize,
    /// In kB of 1 024 bytes.
    pub per_connection_kb: f64,
}

impl Component {
    /// Unlimited workers on a host, without operations.
    pub fn new(name: &str, host: usize) -> Self {
        Self {
            name: name.into(),
            kind: "service".into(),
            host,
            slots: None,
            queue: Queue::default(),
            balance: Balance::RoundRobin,
            usl_concurrency: None,
            operations: Vec::new(),
            faults: None,
            cache: None,
            bus: None,
            hub: None,
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            capacity: 1_000,
            discipline: Discipline::Fifo,
            patience: None,
            overflow: Overflow::Reject(503),
        }
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            max_items: 1,
            wait: Duration::ZERO,
            overhead: Duration::ZERO,
        }
    }
}

impl Usl {
    /// The factor by which n concurrent visits slow each other: 1 + sigma (n − 1) + kappa n (n − 1).
    pub fn slowdown(&self, n: usize) -> f64 {
        let n = n.max(1) as f64;
        1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0)
    }
}
