//! The profile of one detector: its behaviour towards its callers.

use live_config::{Check, ConfigError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::connection::Connection;
use crate::correlation::Correlation;
use crate::failure::{Failure, WeightedFailure};
use crate::latency::Latency;
use crate::queue::QueueConfig;
use crate::rate_limit::RateLimit;
use crate::schedule::Schedule;

/// The behaviour of a mock detector. By default it answers every request at once and correctly.
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
    /// Share of requests that get a correct answer, 0 to 1. The others draw from `failures`.
    pub success_rate: f64,
    /// Time from the complete request to the first byte of the answer; with `queue`, in addition to
    /// the service time.
    pub latency: Latency,
    /// The weighted mix from which a failing request draws once. Empty: status 500.
    pub failures: Vec<WeightedFailure>,
    /// Time that grows with the request, added to `latency`.
    pub cost: Cost,
    /// Failures by position in the stream of requests, before any draw.
    pub pattern: Pattern,
    /// Verdicts that are wrong on purpose.
    pub accuracy: Accuracy,
    /// What happens to connections, apart from the requests on them.
    pub connection: Connection,
    /// Workers and a queue in front of them. Absent: unlimited concurrency.
    pub queue: Option<QueueConfig>,
    /// A limit on the rate of requests. Absent: no limit.
    pub rate_limit: Option<RateLimit>,
    /// Correlated failures: together with other detectors, or in bursts.
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
    /// Milliseconds for each item of a batch after the first.
    pub per_item_ms: f64,
}

/// Failures by position, counted from 1 for each tenant. They take precedence over the rate and draw
/// their kind from `failures`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pattern {
    /// The first n requests succeed, regardless of the rate.
    pub first_succeed: u64,
    /// The next n requests fail.
    pub then_fail: u64,
    /// After those, every nth request fails and all others succeed. 0: the rate decides.
    pub every_nth_fails: u64,
}

/// Wrong verdicts in well-formed answers.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Accuracy {
    /// Share of clean contents that get a false detection.
    pub false_positive_rate: f64,
    /// Share of contents with detections that are reported as clean.
    pub false_negative_rate: f64,
}

impl Profile {
    /// The mix from which a failure is drawn; never empty.
    pub fn failure_mix(&self) -> Vec<WeightedFailure> {
        if self.failures.is_empty() {
            return vec![WeightedFailure {
                weight: 1.0,
                kind: Failure::default(),
            }];
        }
        self.failures.clone()
    }

    /// The errors of the profile itself, without its stages.
    pub(crate) fn validate_fields(&self, faults: &mut Vec<ConfigError>) {
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
