//! What a mock detector tells Prometheus about itself.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fault_profile::Failure;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::journal::Entry;

/// A delay that is late by more than this breaks the mock's promise.
pub(crate) const DELAY_ERROR_BOUND: Duration = Duration::from_micros(300);
/// Share of delays that may break it within a window.
const LATE_SHARE: f64 = 0.01;
const WINDOW: Duration = Duration::from_secs(1);
/// Without a window that mends it, a bad one is held against the mock for this long.
const MEMORY: Duration = Duration::from_secs(15);
/// Windows with fewer delays say nothing.
const MIN_DELAYS: u64 = 50;

/// Kinds of outcome beside the failures of a profile.
pub(crate) const NO_FAULT: &str = "none";
pub(crate) const RATE_LIMITED: &str = "rate_limited";
pub(crate) const OVERFLOW: &str = "overflow";
pub(crate) const BAD_REQUEST: &str = "bad_request";
const OTHERS: [&str; 4] = [NO_FAULT, RATE_LIMITED, OVERFLOW, BAD_REQUEST];

/// What can be wrong with a connection, whatever is asked on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionFault {
    /// The listener went down; nobody sees the connections that the system refuses.
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
    late: Late,
}

impl Metrics {
    pub(crate) fn new(detector: &str) -> Result<Self, prometheus::Error> {
        let labels = [("detector".to_owned(), detector.to_owned())].into();
        let registry = Registry::new_custom(None, Some(labels))?;
        let by_fault = IntCounterVec::new(
            Opts::new(
                "sparring_mock_requests_total",
                "Requests by what was done to them.",
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
                "Faults of connections; for `refused`, times that the listener went down.",
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
                "Requests whose caller went away before the answer.",
            )?,
            planned: histogram(
                "sparring_mock_planned_delay_seconds",
                "Delay that was decided, with the wait in line.",
                &DELAYS,
            )?,
            actual: histogram(
                "sparring_mock_actual_delay_seconds",
                "Delay that was met.",
                &DELAYS,
            )?,
            error: histogram(
                "sparring_mock_delay_error_seconds",
                "How much later than planned an answer began.",
                &ERRORS,
            )?,
            queue_wait: histogram(
                "sparring_mock_queue_wait_seconds",
                "Time in line before a worker was free.",
                &DELAYS,
            )?,
            queue_depth: gauge("sparring_mock_queue_depth", "Requests in line.")?,
            in_flight: gauge("sparring_mock_in_flight", "Requests being worked on.")?,
            connections: counter("sparring_mock_connections_total", "Connections accepted.")?,
            evicted: gauge(
                "sparring_mock_journal_evicted",
                "Entries that fell out of the journal since the start.",
            )?,
            revision: gauge(
                "sparring_mock_revision",
                "Revision of the profile in force.",
            )?,
            degraded: gauge(
                "sparring_mock_degraded",
                "1 while more than 1 % of delays are late by more than 0.3 ms.",
            )?,
            late: Late::new(),
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

    /// Notes how late a delayed answer was.
    pub(crate) fn note_lateness(&self, lateness: Duration) {
        self.error.observe(lateness.as_secs_f64());
        self.late.note(lateness > DELAY_ERROR_BOUND, Instant::now());
    }

    /// Whether the mock breaks its promise about delays at present.
    pub(crate) fn is_degraded(&self) -> bool {
        self.late.is_degraded(Instant::now)
    }
}

const DELAYS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
    60.0,
];
const ERRORS: [f64; 12] = [
    0.00005, 0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1.0,
];

/// Counts late delays by window.
#[derive(Debug)]
struct Late {
    delays: AtomicU64,
    late: AtomicU64,
    /// Until when, in milliseconds from `origin`; 0: not at all.
    degraded_until_ms: AtomicU64,
    origin: Instant,
    window_begin: Mutex<Instant>,
}

impl Late {
    fn new() -> Self {
        let origin = Instant::now();
        Self {
            delays: AtomicU64::new(0),
            late: AtomicU64::new(0),
            degraded_until_ms: AtomicU64::new(0),
            origin,
            window_begin: Mutex::new(origin),
        }
    }

    fn is_degraded(&self, now: impl FnOnce() -> Instant) -> bool {
        let until_ms = self.degraded_until_ms.load(Ordering::Relaxed);
        until_ms > 0 && self.since_origin_ms(now()) < until_ms
    }

    fn since_origin_ms(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.origin).as_millis() as u64
    }

    fn note(&self, late: bool, now: Instant) {
        self.delays.fetch_add(1, Ordering::Relaxed);
        self.late.fetch_add(u64::from(late), Ordering::Relaxed);
        // Whoever gets the lock closes the window; the others need not wait for that.
        let Ok(mut begin) = self.window_begin.try_lock() else {
            return;
        };
        if now.saturating_duration_since(*begin) < WINDOW {
            return;
        }
        *begin = now;
        let delays = self.delays.swap(0, Ordering::Relaxed);
        let late = self.late.swap(0, Ordering::Relaxed);
        let degraded = delays >= MIN_DELAYS && late as f64 > LATE_SHARE * delays as f64;
        let until_ms = if degraded {
            self.since_origin_ms(now + MEMORY)
        } else {
            0
        };
        self.degraded_until_ms.store(until_ms, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_with_too_many_late_delays_degrades_and_a_good_one_mends() {
        let late = Late::new();
        let begin = Instant::now() + WINDOW;
        let window = |number: u32, late_delays: u32| {
            for delay in 0..100 {
                late.note(delay < late_delays, begin + WINDOW * number);
            }
            late.note(false, begin + WINDOW * (number + 1));
            late.is_degraded(|| begin + WINDOW * (number + 1))
        };
        assert!(!window(0, 1), "1 of 100 is within the promise");
        assert!(window(2, 5));
        assert!(!window(4, 0));
        assert!(window(6, 100));
        assert!(
            !late.is_degraded(|| begin + WINDOW * 7 + MEMORY),
            "nobody waits for a mock without requests"
        );
    }
}
