//! The metrics. Names and labels are part of the contract; a metric's help is its definition.

mod forget;
mod labels;
mod make;

use std::sync::Arc;
use std::time::Duration;

use detector_api::orchestrate::{DetectorStatus, Priority, ProcessingMode};
use prometheus::{
    GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
};
use resilience::breaker::{State, Transition};
use service_runtime::process::Process;

use self::labels::Labels;
use self::make::Make;

const LATENCY_MS: [f64; 18] = [
    1.0, 2.5, 5.0, 10.0, 20.0, 35.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0, 750.0, 1_000.0,
    2_000.0, 5_000.0, 10_000.0, 30_000.0,
];
const OVERHEAD_MS: [f64; 12] = [
    0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 50.0, 250.0,
];

const PRIORITIES: [&str; 4] = ["low", "normal", "high", "critical"];
const CACHE_RESULTS: [&str; 4] = ["hit", "miss", "bypass", "stale"];
const NOT_ASKED: [&str; 3] = ["hit", "shared", "stale"];
const SHADOW_RESULTS: [&str; 4] = ["agrees", "disagrees", "failed", "left_out"];
/// Classes of attempts that failed at the detector; the others are decisions not to try.
const FAILURES: [&str; 9] = [
    "connect",
    "reset",
    "truncated",
    "timeout",
    "http_429",
    "http_4xx",
    "http_5xx",
    "malformed",
    "bad_shape",
];
/// Changes that a breaker makes by itself.
const TRANSITIONS: [(&str, &str); 7] = [
    ("open", "consecutive_failures"),
    ("open", "failure_rate"),
    ("open", "slow_call_rate"),
    ("open", "trials_failed"),
    ("open", "trials_undecided"),
    ("half_open", "wait_over"),
    ("closed", "trials_succeeded"),
];

/// All metrics of one orchestrator, in its own registry.
pub struct Metrics {
    pub registry: Registry,
    requests: IntCounterVec,
    duration: Histogram,
    overhead: Histogram,
    coverage: GaugeVec,
    detector_latency: HistogramVec,
    detector_health: IntGaugeVec,
    probe_duration: HistogramVec,
    breaker_state: IntGaugeVec,
    breaker_transitions: IntCounterVec,
    attempts: IntCounterVec,
    retries: IntCounterVec,
    stale: IntCounterVec,
    hedges: IntCounterVec,
    budget_exhausted: IntCounterVec,
    bulkhead_rejected: IntCounterVec,
    bulkhead_in_flight: IntGaugeVec,
    detector_limit: IntGaugeVec,
    ejections: IntCounterVec,
    detector_failures: IntCounterVec,
    policy_enforcement: IntCounterVec,
    cache: IntCounterVec,
    rate_limit: IntCounterVec,
    jobs: IntGaugeVec,
    shed: IntCounterVec,
    left_out: IntCounterVec,
    detector_cache: IntCounterVec,
    shadow: IntCounterVec,
    pub limit: IntGauge,
    pub queued: IntGauge,
    reloads: IntCounterVec,
    pub coalesced: IntCounter,
    pub labels_omitted: IntCounter,
    pub in_flight: IntGauge,
    labels: Labels,
    forgotten: forget::Forgotten,
}

/// One detector's metrics, looked up once.
#[derive(Clone)]
pub struct DetectorMetrics {
    latency: [Histogram; 5],
    pub attempts: IntCounter,
    pub retries: IntCounter,
    pub stale: IntCounter,
    pub hedges: IntCounter,
    pub budget_exhausted: IntCounter,
    pub bulkhead_rejected: IntCounter,
    pub in_flight: IntGauge,
    pub limit: IntGauge,
    pub ejections: IntCounter,
}

/// One finished request.
pub struct Finished<'a> {
    pub tenant: &'a str,
    pub policy: &'a str,
    /// `success`, `partial` or `error`.
    pub status: &'a str,
    pub mode: ProcessingMode,
    pub duration: Duration,
}

impl Metrics {
    /// # Errors
    /// Two metrics have the same name, which a test rules out.
    #[expect(clippy::too_many_lines, reason = "a table: one entry a metric")]
    pub fn new(label_values: usize) -> Result<Arc<Self>, prometheus::Error> {
        let make = Make {
            registry: Registry::new(),
        };
        let metrics = Self {
            requests: make.counters(
                "orchestrate_requests_total",
                "Completed requests, by outcome.",
                &["tenant", "policy", "status", "processing_mode"],
            )?,
            duration: make.histogram(
                "orchestrate_request_duration_ms",
                "Time from the request's last byte to the response, in milliseconds.",
                &LATENCY_MS,
            )?,
            overhead: make.histogram(
                "orchestrate_overhead_ms",
                "Time of a request without waiting for detectors, in milliseconds.",
                &OVERHEAD_MS,
            )?,
            coverage: make.gauges(
                "coverage_achieved",
                "Coverage of the last response, 0 to 1.",
                &["tenant", "policy"],
            )?,
            detector_latency: make.histograms(
                "detector_latency_ms",
                "Time of one detector in a request, including retries, in milliseconds.",
                &["detector", "status"],
            )?,
            detector_health: make.int_gauges(
                "detector_health_status",
                "1 while health checks keep the detector in rotation.",
                &["detector"],
            )?,
            probe_duration: make.histograms(
                "detector_health_check_duration_ms",
                "Time of one health check, in milliseconds.",
                &["detector"],
            )?,
            breaker_state: make.int_gauges(
                "circuit_breaker_state",
                "1 for the state that applies to calls: the best state of the circuit breakers of \
                 the detector's endpoints.",
                &["detector", "state"],
            )?,
            breaker_transitions: make.counters(
                "circuit_breaker_transitions_total",
                "State changes of the breakers of all endpoints of a detector.",
                &["detector", "to", "reason"],
            )?,
            attempts: make.counters(
                "detector_attempts_total",
                "Attempts of calls: first ones, retries and hedges. Some never reach the detector.",
                &["detector"],
            )?,
            retries: make.counters(
                "detector_retries_total",
                "Retries of failed calls.",
                &["detector"],
            )?,
            stale: make.counters(
                "detector_stale_connections_total",
                "Requests that were sent again on a new connection because a kept-alive one was \
                 dead or too old.",
                &["detector"],
            )?,
            hedges: make.counters(
                "detector_hedges_total",
                "Hedges: second calls in parallel with a slow first one.",
                &["detector"],
            )?,
            budget_exhausted: make.counters(
                "detector_retry_budget_exhausted_total",
                "Retries and hedges that the budget refused.",
                &["detector"],
            )?,
            bulkhead_rejected: make.counters(
                "detector_bulkhead_rejected_total",
                "Calls rejected because the bulkhead was full.",
                &["detector"],
            )?,
            bulkhead_in_flight: make.int_gauges(
                "detector_in_flight",
                "Calls in flight.",
                &["detector"],
            )?,
            detector_limit: make.int_gauges(
                "detector_concurrency_limit",
                "Concurrent calls that the adaptive limits allow to a detector's endpoints.",
                &["detector"],
            )?,
            ejections: make.counters(
                "detector_ejections_total",
                "Endpoints ejected because they failed more often than the others.",
                &["detector"],
            )?,
            detector_failures: make.counters(
                "detector_failures_total",
                "Failed attempts, by class.",
                &["detector", "class"],
            )?,
            policy_enforcement: make.counters(
                "policy_enforcement_total",
                "Verdicts by a policy.",
                &["tenant", "policy", "status", "violation_type"],
            )?,
            cache: make.counters(
                "orchestrate_cache_total",
                "Look-ups in the response cache: hit, miss, bypass, stale.",
                &["result"],
            )?,
            rate_limit: make.counters(
                "orchestrator_rate_limit_requests_total",
                "Requests checked against a rate limit: allowed or limited.",
                &["endpoint", "tenant", "action"],
            )?,
            jobs: make.int_gauges(
                "orchestrate_jobs",
                "Jobs in the store; with Redis those of all replicas, so every replica reports the same.",
                &["state"],
            )?,
            shed: make.counters(
                "orchestrate_shed_total",
                "Requests rejected because of overload.",
                &["priority"],
            )?,
            left_out: make.counters(
                "orchestrate_brown_out_total",
                "Optional detectors left out of a request because of overload.",
                &["detector"],
            )?,
            detector_cache: make.counters(
                "detector_cache_total",
                "Results of single detectors without a call: hit, shared with a call in flight, or \
                 stale while a breaker is open.",
                &["detector", "result"],
            )?,
            shadow: make.counters(
                "detector_shadow_total",
                "Results of shadow detectors compared with the live one: agrees, disagrees, failed, \
                 or left_out if too many were in flight.",
                &["detector", "live", "result"],
            )?,
            limit: make.gauge(
                "orchestrate_concurrency_limit",
                "Concurrent fan-outs that the adaptive limit allows.",
            )?,
            queued: make.gauge("orchestrate_queued", "Requests that wait for a fan-out.")?,
            reloads: make.counters(
                "orchestrator_config_reloads_total",
                "Configuration changes that were applied or rejected.",
                &["result"],
            )?,
            coalesced: make.counter(
                "orchestrate_coalesced_total",
                "Requests that shared the fan-out of an identical one.",
            )?,
            labels_omitted: make.counter(
                "orchestrate_labels_omitted_total",
                "Labels left out of responses with more than 1000; verdicts count all of them.",
            )?,
            in_flight: make.gauge("orchestrate_in_flight", "Requests in progress.")?,
            labels: Labels::new(label_values),
            forgotten: forget::Forgotten::default(),
            registry: {
                make.registry.register(Box::new(Process::new()?))?;
                make.registry
            },
        };
        metrics.begin();
        Ok(Arc::new(metrics))
    }

    /// Counters of events exist from the start, at zero: a rate over a series that begins with its first
    /// event misses that event.
    fn begin(&self) {
        for priority in PRIORITIES {
            self.shed.with_label_values(&[priority]);
        }
        for result in CACHE_RESULTS {
            self.cache.with_label_values(&[result]);
        }
        for result in ["applied", "refused"] {
            self.reloads.with_label_values(&[result]);
        }
    }

    /// The handles of one detector; its series exist from now on, at zero.
    pub fn detector(&self, name: &str) -> DetectorMetrics {
        for state in State::ALL {
            let gauge = self.breaker_state.with_label_values(&[name, state.name()]);
            gauge.set(i64::from(state == State::Closed));
        }
        self.detector_health.with_label_values(&[name]).set(1);
        self.left_out.with_label_values(&[name]);
        self.probe_duration.with_label_values(&[name]);
        for result in NOT_ASKED {
            self.detector_cache.with_label_values(&[name, result]);
        }
        for class in FAILURES {
            self.detector_failures.with_label_values(&[name, class]);
        }
        for (to, reason) in TRANSITIONS {
            self.breaker_transitions
                .with_label_values(&[name, to, reason]);
        }
        DetectorMetrics {
            latency: [
                DetectorStatus::Success,
                DetectorStatus::Failed,
                DetectorStatus::Timeout,
                DetectorStatus::Unavailable,
                DetectorStatus::Skipped,
            ]
            .map(|status| {
                self.detector_latency
                    .with_label_values(&[name, status.name()])
            }),
            attempts: self.attempts.with_label_values(&[name]),
            retries: self.retries.with_label_values(&[name]),
            stale: self.stale.with_label_values(&[name]),
            hedges: self.hedges.with_label_values(&[name]),
            budget_exhausted: self.budget_exhausted.with_label_values(&[name]),
            bulkhead_rejected: self.bulkhead_rejected.with_label_values(&[name]),
            in_flight: self.bulkhead_in_flight.with_label_values(&[name]),
            limit: self.detector_limit.with_label_values(&[name]),
            ejections: self.ejections.with_label_values(&[name]),
        }
    }

    /// The series of a shadow exist from now on, at zero.
    pub fn shadow(&self, name: &str, live: &str) {
        for result in SHADOW_RESULTS {
            self.shadow.with_label_values(&[name, live, result]);
        }
    }

    /// Drops all series of removed detectors.
    pub fn forget(&self, is_known: forget::IsKnown<'_>) {
        self.forgotten.begin();
        forget::unknown(self, is_known);
    }

    /// The same while calls to one may still be in progress, which are counted when they end.
    pub fn forget_again(&self, is_known: forget::IsKnown<'_>) {
        if self.forgotten.is_recent() {
            forget::unknown(self, is_known);
        }
    }

    pub fn finished(&self, request: &Finished<'_>) {
        let tenant = self.labels.bounded(request.tenant);
        let policy = self.labels.bounded(request.policy);
        let labels = [&*tenant, &*policy, request.status, request.mode.name()];
        self.requests.with_label_values(&labels).inc();
        self.duration.observe(milliseconds(request.duration));
    }

    pub fn covered(&self, tenant: &str, policy: &str, coverage: f64) {
        let (tenant, policy) = (self.labels.bounded(tenant), self.labels.bounded(policy));
        self.coverage
            .with_label_values(&[&*tenant, &*policy])
            .set(coverage);
    }

    /// `violation` is `none` if the policy was met.
    pub fn enforced(&self, tenant: &str, policy: &str, status: &str, violation: &str) {
        let (tenant, policy) = (self.labels.bounded(tenant), self.labels.bounded(policy));
        let labels = [&*tenant, &*policy, status, violation];
        self.policy_enforcement.with_label_values(&labels).inc();
    }

    pub fn shed(&self, priority: Priority) {
        let [low, normal, high, critical] = PRIORITIES;
        let priority = match priority {
            Priority::Low => low,
            Priority::Normal => normal,
            Priority::High => high,
            Priority::Critical => critical,
        };
        self.shed.with_label_values(&[priority]).inc();
    }

    pub fn left_out(&self, detector: &str) {
        self.left_out.with_label_values(&[detector]).inc();
    }

    pub fn not_asked(&self, detector: &str, result: &str) {
        self.detector_cache
            .with_label_values(&[detector, result])
            .inc();
    }

    pub fn shadowed(&self, detector: &str, live: &str, result: &str) {
        self.shadow
            .with_label_values(&[detector, live, result])
            .inc();
    }

    pub fn overhead(&self, duration: Duration) {
        self.overhead.observe(milliseconds(duration));
    }

    pub fn looked_up(&self, result: &str) {
        self.cache.with_label_values(&[result]).inc();
    }

    pub fn rate_limited(&self, endpoint: &str, tenant: &str, action: &str) {
        let tenant = self.labels.bounded(tenant);
        self.rate_limit
            .with_label_values(&[endpoint, &*tenant, action])
            .inc();
    }

    pub fn jobs(&self, state: &str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.jobs.with_label_values(&[state]).set(count);
    }

    /// Counts configuration changes that were applied, or rejected as a whole.
    pub fn reloaded(&self, is_applied: bool) {
        let result = if is_applied { "applied" } else { "refused" };
        self.reloads.with_label_values(&[result]).inc();
    }

    pub fn failed_attempt(&self, detector: &str, class: &str) {
        self.detector_failures
            .with_label_values(&[detector, class])
            .inc();
    }

    /// Counts a change of one breaker; `best` is the state for calls to the detector since then.
    pub fn breaker_moved(&self, detector: &str, step: Transition, best: State) {
        for state in State::ALL {
            let gauge = self
                .breaker_state
                .with_label_values(&[detector, state.name()]);
            gauge.set(i64::from(state == best));
        }
        let labels = [detector, step.to.name(), step.reason.name()];
        self.breaker_transitions.with_label_values(&labels).inc();
    }

    pub fn probed(&self, detector: &str, in_rotation: bool, duration: Duration) {
        self.detector_health
            .with_label_values(&[detector])
            .set(i64::from(in_rotation));
        let histogram = self.probe_duration.with_label_values(&[detector]);
        histogram.observe(milliseconds(duration));
    }
}

impl DetectorMetrics {
    pub fn answered(&self, status: DetectorStatus, duration: Duration) {
        self.latency[status as usize].observe(milliseconds(duration));
    }
}

pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_events_are_there_from_the_start_at_zero() {
        let metrics = Metrics::new(3).expect("names differ");
        metrics.detector("one");
        let families = metrics.registry.gather();
        for (name, series) in [
            ("orchestrate_shed_total", PRIORITIES.len()),
            ("orchestrate_cache_total", CACHE_RESULTS.len()),
            ("orchestrator_config_reloads_total", 2),
            ("orchestrate_brown_out_total", 1),
            ("detector_cache_total", NOT_ASKED.len()),
            ("detector_failures_total", FAILURES.len()),
            ("circuit_breaker_transitions_total", TRANSITIONS.len()),
            ("detector_attempts_total", 1),
            ("detector_hedges_total", 1),
            ("detector_ejections_total", 1),
        ] {
            let family = families.iter().find(|family| family.name() == name);
            let family = family.unwrap_or_else(|| panic!("no {name}"));
            let values: Vec<f64> = family
                .get_metric()
                .iter()
                .map(|metric| metric.get_counter().get_value())
                .collect();
            assert_eq!(values, vec![0.0; series], "{name}");
        }
    }

    #[test]
    fn a_client_cannot_create_series_without_bound() {
        let metrics = Metrics::new(3).expect("names differ");
        for tenant in 0..50 {
            metrics.covered(&format!("tenant-{tenant}"), "default", 1.0);
        }
        let families = metrics.registry.gather();
        let coverage = families
            .iter()
            .find(|family| family.name() == "coverage_achieved");
        assert!(coverage.expect("it was set").get_metric().len() <= 4);
    }
}
