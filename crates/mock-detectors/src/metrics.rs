//! The Prometheus metrics of a mock detector.

use std::time::{Duration, Instant};

use fault_profile::Failure;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use simulated_server::{Lateness, Totals};

use crate::journal::Entry;

/// Outcomes besides the failures of a profile.
pub(crate) const NO_FAULT: &str = "none";
pub(crate) const RATE_LIMITED: &str = "rate_limited";
pub(crate) const OVERFLOW: &str = "overflow";
pub(crate) const BAD_REQUEST: &str = "bad_request";
const OTHERS: [&str; 4] = [NO_FAULT, RATE_LIMITED, OVERFLOW, BAD_REQUEST];

/// Faults of a connection, independent of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionFault {
    /// The listener went down; connections that the system refuses are not visible.
    Refused,
    SlowAccept,
    HandshakeAbort,
    HandshakeStall,
    Certificate,
}

impl ConnectionFault {
    const NAMES: [&str; 5] = [
        "refused",
        "slow_accept",
        "handshake_abort",
        "handshake_stall",
        "certificate",
    ];
}

/// The metrics of one detector.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    /// The most frequent kind, none, comes first.
    requests: Vec<(&'static str, IntCounter)>,
    pub(crate) cancelled: IntCounter,
    planned: Histogram,
    actual: Histogram,
    error: Histogram,
    queue_wait: Histogram,
    pub(crate) queue_depth: IntGauge,
    pub(crate) in_flight: IntGauge,
    pub(crate) connections: IntCounter,
    /// In the order of [`ConnectionFault`].
    connection_faults: [IntCounter; ConnectionFault::NAMES.len()],
    pub(crate) evicted: IntGauge,
    pub(crate) revision: IntGauge,
    pub(crate) degraded: IntGauge,
    lateness: Lateness,
}

impl Metrics {
    pub(crate) fn new(detector: &str) -> Result<Self, prometheus::Error> {
        let labels = [("detector".to_owned(), detector.to_owned())].into();
        let registry = Registry::new_custom(None, Some(labels))?;
        let by_fault = IntCounterVec::new(
            Opts::new(
                "sparring_mock_requests_total",
                "Requests by injected fault.",
            ),
            &["fault"],
        )?;
        registry.register(Box::new(by_fault.clone()))?;
        let kinds = OTHERS.iter().chain(&Failure::NAMES);
        let requests = kinds
            .map(|kind| (*kind, by_fault.with_label_values(&[kind])))
            .collect();
        let by_connection_fault = IntCounterVec::new(
            Opts::new(
                "sparring_mock_connection_faults_total",
                "Faults of connections; for `refused`, the times that the listener was closed.",
            ),
            &["fault"],
        )?;
        registry.register(Box::new(by_connection_fault.clone()))?;
        let connection_faults =
            ConnectionFault::NAMES.map(|fault| by_connection_fault.with_label_values(&[fault]));
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            let histogram = Histogram::with_opts(options)?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        Ok(Self {
            requests,
            connection_faults,
            cancelled: counter(
                "sparring_mock_cancelled_total",
                "Requests whose client disconnected before the response.",
            )?,
            planned: histogram(
                "sparring_mock_planned_delay_seconds",
                "Planned delay, including the wait in the queue.",
                &DELAYS,
            )?,
            actual: histogram(
                "sparring_mock_actual_delay_seconds",
                "Actual delay.",
                &DELAYS,
            )?,
            error: histogram(
                "sparring_mock_delay_error_seconds",
                "Delay of the start of a response beyond the plan.",
                &ERRORS,
            )?,
            queue_wait: histogram(
                "sparring_mock_queue_wait_seconds",
                "Time in the queue before a worker was free.",
                &DELAYS,
            )?,
            queue_depth: gauge("sparring_mock_queue_depth", "Requests in the queue.")?,
            in_flight: gauge("sparring_mock_in_flight", "Requests in progress.")?,
            connections: counter("sparring_mock_connections_total", "Connections accepted.")?,
            evicted: gauge(
                "sparring_mock_journal_evicted",
                "Entries evicted from the journal since the start.",
            )?,
            revision: gauge(
                "sparring_mock_revision",
                "Revision of the profile in force.",
            )?,
            degraded: gauge(
                "sparring_mock_degraded",
                "1 while more than 1 % of delays are late by more than 0.3 ms.",
            )?,
            lateness: Lateness::new(),
            registry,
        })
    }

    /// Counts a request that was carried out.
    pub(crate) fn count(&self, entry: &Entry) {
        let counter = self.requests.iter().find(|(kind, _)| *kind == entry.fault);
        if let Some((_, counter)) = counter {
            counter.inc();
        }
        if entry.cancelled {
            return self.cancelled.inc();
        }
        let planned_us = entry.planned_us + entry.queued_us;
        self.planned.observe(planned_us as f64 / 1e6);
        self.actual.observe(entry.actual_us as f64 / 1e6);
        if entry.queued_us > 0 {
            self.queue_wait.observe(entry.queued_us as f64 / 1e6);
        }
    }

    pub(crate) fn count_connection_fault(&self, fault: ConnectionFault) {
        self.connection_faults[fault as usize].inc();
    }

    /// Records the lateness of a delayed answer.
    pub(crate) fn note_lateness(&self, lateness: Duration) {
        self.error.observe(lateness.as_secs_f64());
        self.lateness.note(lateness, Instant::now());
    }

    /// Whether the mock currently breaks its promise about delays.
    pub(crate) fn is_degraded(&self) -> bool {
        self.lateness.is_degraded(Instant::now)
    }

    /// The lateness of answers since the start.
    pub(crate) fn lateness(&self) -> Totals {
        self.lateness.totals()
    }
}

const DELAYS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
    60.0,
];
const ERRORS: [f64; 12] = [
    0.00005, 0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1.0,
];
