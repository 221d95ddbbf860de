//! Single samples, for outputs that need every one.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::metric::MetricId;
use crate::tags::Tags;

/// A point in time: nanoseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixNanos(pub i64);

impl From<SystemTime> for UnixNanos {
    fn from(time: SystemTime) -> Self {
        let nanos = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        Self(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

/// One measured value.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The metric.
    pub metric: MetricId,
    /// The time of the measurement.
    pub at: UnixNanos,
    /// The value, in the metric's unit (times in milliseconds).
    pub value: f64,
    /// Its tags.
    pub tags: Arc<Tags>,
    /// Pairs that do not make a series of their own (`iter`, `vu`).
    pub metadata: Option<Arc<Tags>>,
}

/// Samples of one thread, in the order in which they were taken.
pub type Batch = Vec<Sample>;

/// A receiver of batches. It must not block: it counts and drops the samples that it cannot accept.
pub trait BatchSink: Send {
    /// Accepts a batch.
    fn offer(&self, batch: Batch);
}
