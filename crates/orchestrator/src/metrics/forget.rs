//! Series of detectors that are no longer registered go away, or every detector that ever was would
//! be there for ever.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use tokio::time::Instant;

use super::{Metrics, OTHER};
use crate::registry::Registry;

/// By then every call to a removed detector has ended: longer than any request may take.
const LONGEST_CALL: Duration = Duration::from_secs(900);

/// When a detector was removed last.
#[derive(Default)]
pub(super) struct Forgotten(Mutex<Option<Instant>>);

impl Forgotten {
    pub(super) fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub(super) fn is_recent(&self) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() < LONGEST_CALL)
    }
}

/// Drops the series of all detectors that are not in the registry.
pub(super) fn unknown(metrics: &Metrics, registry: &Registry) {
    drop_series(&metrics.detector_latency, registry);
    drop_series(&metrics.detector_health, registry);
    drop_series(&metrics.probe_duration, registry);
    drop_series(&metrics.breaker_state, registry);
    drop_series(&metrics.breaker_transitions, registry);
    drop_series(&metrics.retries, registry);
    drop_series(&metrics.hedges, registry);
    drop_series(&metrics.budget_exhausted, registry);
    drop_series(&metrics.bulkhead_rejected, registry);
    drop_series(&metrics.bulkhead_in_flight, registry);
    drop_series(&metrics.detector_limit, registry);
    drop_series(&metrics.ejections, registry);
    drop_series(&metrics.detector_failures, registry);
    drop_series(&metrics.left_out, registry);
    drop_series(&metrics.detector_cache, registry);
    drop_series(&metrics.shadow, registry);
}

fn drop_series<T: MetricVecBuilder>(series: &MetricVec<T>, registry: &Registry) {
    let is_known = |name: &str| name == OTHER || registry.has(name);
    for family in series.collect() {
        for metric in family.get_metric() {
            let labels = metric.get_label().iter();
            let labels: HashMap<&str, &str> = labels.map(|it| (it.name(), it.value())).collect();
            let named = ["detector", "live"].map(|label| labels.get(label));
            if named.into_iter().flatten().any(|name| !is_known(name)) {
                // Gone already where somebody else dropped it meanwhile.
                drop(series.remove(&labels));
            }
        }
    }
}
