//! Components: what visits go to.

use std::sync::Arc;
use std::time::Duration;

use fault_profile::Model;

use super::Operation;

/// Something with workers on a host; each instance of the host has its own.
#[derive(Debug, Clone)]
pub struct Component {
    pub name: Arc<str>,
    /// Label only (`service`, `agent`, …): what a kind adds stands in the blocks below.
    pub kind: Arc<str>,
    /// Place in [`super::Plan::hosts`].
    pub host: usize,
    /// Workers of each instance, held for the whole visit. `None`: as many as come.
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

/// Where visits wait for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Visits that wait at most: for each instance, and with [`Balance::SharedQueue`] in all.
    pub capacity: usize,
    pub discipline: Discipline,
    /// Waiting longer ends `queue_timeout` 503.
    pub patience: Option<Duration>,
    pub overflow: Overflow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discipline {
    Fifo,
    Lifo,
}

/// What a full queue does with one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// Fails `queue_full` with this status.
    Reject(u16),
    /// Gives no answer; the caller's timeout or deadline ends it.
    Hang,
}

/// Which instance a visit goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    RoundRobin,
    Random,
    LeastInFlight,
    /// One line for all instances.
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
    /// Keys that requests draw from, where a flow says so.
    pub population: Option<Population>,
    /// Entries of each instance.
    pub capacity: usize,
    /// From being filled, before the plan's ageing. `None`: for ever.
    pub ttl: Option<Duration>,
    /// In kB of 1 024 bytes. An entry that memory has no room for drives out the oldest.
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
    /// Key k is asked for in proportion to k^−s.
    Zipf(f64),
}

/// What a bus adds to a component.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bus {
    pub batch: Batch,
    pub compress: Option<Compression>,
    /// What each publish waits for before its messages are on the way.
    pub connect: Duration,
}

/// A batch takes the overhead and the sum of its messages' service in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// 1: each message goes alone, and pays the overhead.
    pub max_items: usize,
    /// From the first message until an incomplete batch goes.
    pub wait: Duration,
    pub overhead: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compression {
    /// Compressed size over size.
    pub ratio: f64,
    /// For each kB (1 000 bytes) before compression.
    pub cpu_ms_per_kb: f64,
}

/// Open connections of a component.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hub {
    /// In all instances; one more is refused with `unavailable` 503.
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
    /// By how much n at once slow each other: 1 + sigma (n − 1) + kappa n (n − 1).
    pub fn slowdown(&self, n: usize) -> f64 {
        let n = n.max(1) as f64;
        1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0)
    }
}
