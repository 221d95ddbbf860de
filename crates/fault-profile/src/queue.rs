//! The queueing model of a detector: workers, a bounded queue, and a rule for overflow.

use live_config::Check;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::latency::Latency;

/// Workers and the queue in front of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueConfig {
    /// Requests (or batches) in service at the same time.
    pub workers: u32,
    /// The time for which one request or batch occupies a worker.
    pub service: Latency,
    /// The number of requests that may wait; further ones overflow.
    #[serde(default = "default_capacity")]
    pub capacity: u32,
    #[serde(default)]
    pub discipline: Discipline,
    #[serde(default)]
    pub overflow: Overflow,
    /// Requests that are served together. Absent: every request is served alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batching>,
}

/// The request that is served next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Discipline {
    /// The one that has waited longest.
    #[default]
    Fifo,
    /// The one that came last.
    Lifo,
}

/// The fate of a request when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Overflow {
    /// An immediate error.
    Reject {
        /// Its status.
        #[serde(default = "too_many_requests")]
        status: u16,
    },
    /// No answer at all.
    Hang {},
    /// A correct answer after this time, without a worker.
    Slow {
        /// Time from request to answer.
        after_ms: f64,
    },
}

/// Several requests that are served as one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batching {
    /// The maximum number of requests in one batch.
    pub max_items: u32,
    /// A free worker waits this long for a batch to fill.
    #[serde(default)]
    pub wait_ms: f64,
}

impl Default for Overflow {
    fn default() -> Self {
        Self::Reject {
            status: too_many_requests(),
        }
    }
}

impl QueueConfig {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        check.between("workers", self.workers, 1, 100_000);
        check.at_most("capacity", self.capacity, 1_000_000);
        self.service.check(&mut check.at("service"));
        match self.overflow {
            Overflow::Reject { status } => {
                check.between("overflow.reject.status", status, 400, 599);
            }
            Overflow::Slow { after_ms } => check.ms("overflow.slow.after_ms", after_ms),
            Overflow::Hang {} => {}
        }
        if let Some(batch) = self.batch {
            check.at_least("batch.max_items", batch.max_items, 1);
            check.ms("batch.wait_ms", batch.wait_ms);
        }
    }
}

fn default_capacity() -> u32 {
    1_000
}
fn too_many_requests() -> u16 {
    429
}
