//! Removal of the series of detectors that are no longer registered, which would otherwise stay for ever.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use tokio::time::Instant;

use super::Metrics;
use super::labels::OTHER;

/// The time after which every call to a removed detector has ended: longer than any request.
const LONGEST_CALL: Duration = Duration::from_secs(900);

/// The time of the last removal of a detector.
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

/// Whether a detector with this name is registered.
pub type IsKnown<'a> = &'a dyn Fn(&str) -> bool;

/// Drops the series of all unknown detectors.
pub(super) fn unknown(metrics: &Metrics, is_known: IsKnown<'_>) {
    drop_series(&metrics.detector_latency, is_known);
    drop_series(&metrics.detector_health, is_known);
    drop_series(&metrics.probe_duration, is_known);
    drop_series(&metrics.breaker_state, is_known);
    drop_series(&metrics.breaker_transitions, is_known);
    drop_series(&metrics.attempts, is_known);
    drop_series(&metrics.retries, is_known);
    drop_series(&metrics.stale, is_known);
    drop_series(&metrics.hedges, is_known);
    drop_series(&metrics.budget_exhausted, is_known);
    drop_series(&metrics.bulkhead_rejected, is_known);
    drop_series(&metrics.bulkhead_in_flight, is_known);
    drop_series(&metrics.detector_limit, is_known);
    drop_series(&metrics.ejections, is_known);
    drop_series(&metrics.detector_failures, is_known);
    drop_series(&metrics.left_out, is_known);
    drop_series(&metrics.detector_cache, is_known);
    drop_series(&metrics.shadow, is_known);
}

fn drop_series<T: MetricVecBuilder>(series: &MetricVec<T>, is_known: IsKnown<'_>) {
    let is_known = |name: &str| name == OTHER || is_known(name);
    for family in series.collect() {
        for metric in family.get_metric() {
            let labels = metric.get_label().iter();
            let labels: HashMap<&str, &str> = labels.map(|it| (it.name(), it.value())).collect();
            let named = ["detector", "live"].map(|label| labels.get(label));
            if named.into_iter().flatten().any(|name| !is_known(name)) {
                // It may be gone already, dropped concurrently.
                drop(series.remove(&labels));
            }
        }
    }
}
