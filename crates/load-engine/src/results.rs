//! Results of thresholds and checks, for a verdict.

use std::sync::{Arc, Mutex, PoisonError};

use load_metrics::Aggregate;

/// The result of a threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdResult {
    /// The metric or sub-metric.
    pub metric: String,
    /// The expression as written.
    pub expression: String,
    /// Whether it holds.
    pub passed: bool,
    /// The value that was compared, if there were samples.
    pub observed: Option<f64>,
}

/// The current thresholds, for outputs that show a run in progress; clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Standings(Arc<Mutex<Vec<ThresholdResult>>>);

impl Standings {
    /// Replaces the thresholds.
    pub fn set(&self, results: Vec<ThresholdResult>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = results;
    }

    /// The thresholds of the last evaluation; none before the first.
    pub fn get(&self) -> Vec<ThresholdResult> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The passes and failures of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckResult {
    /// Its name.
    pub name: String,
    /// The path of its group, `::outer::inner`; empty for the root.
    pub group: String,
    /// The number of passes.
    pub passes: u64,
    /// The number of failures.
    pub fails: u64,
}

impl CheckResult {
    /// All checks in order of first use; those of several scenarios are merged.
    pub fn all_of(aggregate: &Aggregate) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for tally in aggregate.checks() {
            // Groups are included for their order.
            let Some(name) = tally.tags.get("check") else {
                continue;
            };
            let group = tally.tags.get("group").unwrap_or_default();
            let known = |check: &&mut Self| check.name == name && check.group == group;
            let fails = tally.rate.total - tally.rate.trues;
            if let Some(check) = all.iter_mut().find(known) {
                check.passes += tally.rate.trues;
                check.fails += fails;
            } else {
                all.push(Self {
                    name: name.to_owned(),
                    group: group.to_owned(),
                    passes: tally.rate.trues,
                    fails,
                });
            }
        }
        all
    }
}
