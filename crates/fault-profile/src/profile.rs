//! The profile of one detector: everything that it shall do to its callers.

use live_config::Check;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::connection::Connection;
use crate::correlation::Correlation;
use crate::failure::{Failure, WeightedFailure};
use crate::latency::Latency;
use crate::queue::QueueConfig;
use crate::rate_limit::RateLimit;
use crate::schedule::Schedule;

/// How a mock detector behaves. The default answers everything, at once and correctly.
///
/// ```yaml
/// success_rate: 0.98
/// latency: { uniform: { min_ms: 100, max_ms: 2000 } }
/// failures:
///   - { weight: 3, kind: { status: { code: 503, retry_after_s: 1 } } }
///   - { weight: 1, kind: { reset: { at: before_head } } }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Seed of every draw. The same seed and request keys give the same decisions.
    pub seed: u64,
    /// Share of requests that get a right answer, 0 to 1. The others draw from `failures`.
    pub success_rate: f64,
    /// Time from the complete request to the first byte of the answer; with `queue`, time beside
    /// the service time.
    pub latency: Latency,
    /// The weighted mix that a failing request draws from once. Empty: status 500.
    pub failures: Vec<WeightedFailure>,
    /// Time that grows with the request, added to `latency`.
    pub cost: Cost,
    /// Failures by position in the stream of requests, before any draw.
    pub pattern: Pattern,
    /// How often verdicts are wrong on purpose.
    pub accuracy: Accuracy,
    /// What happens to connections, apart from the requests on them.
    pub connection: Connection,
    /// Workers and a queue in front of them. Absent: unlimited concurrency.
    pub queue: Option<QueueConfig>,
    /// Absent: no limit.
    pub rate_limit: Option<RateLimit>,
    /// Failures that come together: with other detectors, or in bursts.
    pub correlation: Correlation,
    /// Changes over time.
    pub schedule: Schedule,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            seed: 0,
            success_rate: 1.0,
            latency: Latency::default(),
            failures: Vec::new(),
            cost: Cost::default(),
            pattern: Pattern::default(),
            accuracy: Accuracy::default(),
            connection: Connection::default(),
            queue: None,
            rate_limit: None,
            correlation: Correlation::default(),
            schedule: Schedule::default(),
        }
    }
}

/// Time that grows with the size of the request.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cost {
    /// Microseconds for each character of content.
    pub per_char_us: f64,
    /// Milliseconds for each item of a batch behind the first.
    pub per_item_ms: f64,
}

/// Failures by position, counted from 1 for each tenant. They come before the rate and draw
/// their kind from `failures`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pattern {
    /// The first n requests succeed whatever the rate says.
    pub first_succeed: u64,
    /// The n requests behind those fail.
    pub then_fail: u64,
    /// Afterwards every nth request fails, and only those. 0: the rate decides.
    pub every_nth_fails: u64,
}

/// Wrong verdicts in well-formed answers.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Accuracy {
    /// Share of clean contents that get an invented detection.
    pub false_positive_rate: f64,
    /// Share of contents with detections that are reported clean.
    pub false_negative_rate: f64,
}

impl Profile {
    /// The mix to draw a failure from; never empty.
    pub fn failure_mix(&self) -> Vec<WeightedFailure> {
        if self.failures.is_empty() {
            return vec![WeightedFailure {
                weight: 1.0,
                kind: Failure::default(),
            }];
        }
        self.failures.clone()
    }

    /// The faults of the profile as it stands, its stages not applied.
    pub(crate) fn validate_fields(&self, faults: &mut Vec<(String, String)>) {
        let mut check = Check::new(faults);
        check.share("success_rate", self.success_rate);
        self.latency.check(&mut check.at("latency"));
        crate::failure::check_mix(&self.failures, &mut check.at("failures"));
        check.not_negative("cost.per_char_us", self.cost.per_char_us);
        check.not_negative("cost.per_item_ms", self.cost.per_item_ms);
        check.share(
            "accuracy.false_positive_rate",
            self.accuracy.false_positive_rate,
        );
        check.share(
            "accuracy.false_negative_rate",
            self.accuracy.false_negative_rate,
        );
        self.connection.check(&mut check.at("connection"));
        if let Some(queue) = &self.queue {
            queue.check(&mut check.at("queue"));
        }
        if let Some(limit) = &self.rate_limit {
            limit.check(&mut check.at("rate_limit"));
        }
        self.correlation.check(&mut check.at("correlation"));
        self.schedule.check(&mut check.at("schedule"));
    }
}
