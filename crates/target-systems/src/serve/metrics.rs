//! Metrics under the prefix `sparring_target_`, and those that a document declares.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};
use simulated_server::{Lateness, Totals};

use super::declared::Declared;
use super::entry::Entry;
use super::families::{self, Series};
use super::playing::Playing;
use super::show;
use crate::network::{Finished, Reading};

/// Bucket bounds of times in seconds: 1 ms to 30 s.
pub(super) const BUCKETS: [f64; 17] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    30.0,
];
/// Bucket bounds of the lateness of responses: 10 µs to 100 ms.
const LATE_BUCKETS: [f64; 12] = [
    0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.005, 0.02, 0.1,
];

/// Metrics that are counted while requests run.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) registry: Registry,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    visit_duration: HistogramVec,
    queue_wait: HistogramVec,
    delivery_error: Histogram,
    pub(super) in_flight: IntGauge,
    messages: IntCounterVec,
    refused_sockets: IntCounter,
    /// Messages dropped because a client was too slow.
    pub(super) dropped_messages: IntCounter,
    declared: Declared,
    lateness: Lateness,
    answered: AtomicU64,
}

impl Metrics {
    pub(super) fn new(playing: &Playing) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let opts = |name: &str, help: &str| Opts::new(format!("sparring_target_{name}"), help);
        let times = |name: &str, help: &str| {
            HistogramOpts::from(opts(name, help)).buckets(BUCKETS.to_vec())
        };
        let requests = IntCounterVec::new(
            opts(
                "requests_total",
                "Completed requests, by endpoint, status and error type",
            ),
            &["endpoint", "status", "error_type"],
        )?;
        let request_duration = HistogramVec::new(
            times(
                "request_duration_seconds",
                "Time from a request to its response",
            ),
            &["endpoint"],
        )?;
        let visit_duration = HistogramVec::new(
            times(
                "visit_duration_seconds",
                "Time of a visit to a component without waiting",
            ),
            &["component", "operation"],
        )?;
        let queue_wait = HistogramVec::new(
            times(
                "queue_wait_seconds",
                "Time that a visit waits for a slot and for shares of resources",
            ),
            &["component"],
        )?;
        let delivery = opts(
            "delivery_error_seconds",
            "Delay of a response beyond its simulated time",
        );
        let delivery_error =
            Histogram::with_opts(HistogramOpts::from(delivery).buckets(LATE_BUCKETS.to_vec()))?;
        let in_flight = IntGauge::with_opts(opts("in_flight", "Requests in flight"))?;
        let messages = IntCounterVec::new(
            opts(
                "messages_total",
                "Completed WebSocket messages, by endpoint and error type",
            ),
            &["endpoint", "error_type"],
        )?;
        let refused_sockets = IntCounter::with_opts(opts(
            "sockets_refused_total",
            "Connections rejected because a hub was full",
        ))?;
        let dropped_messages = IntCounter::with_opts(opts(
            "messages_dropped_total",
            "Messages dropped because the client is too slow",
        ))?;
        let parts: [Box<dyn Collector>; 9] = [
            Box::new(requests.clone()),
            Box::new(request_duration.clone()),
            Box::new(visit_duration.clone()),
            Box::new(queue_wait.clone()),
            Box::new(delivery_error.clone()),
            Box::new(in_flight.clone()),
            Box::new(messages.clone()),
            Box::new(refused_sockets.clone()),
            Box::new(dropped_messages.clone()),
        ];
        for part in parts {
            registry.register(part)?;
        }
        let declared = Declared::new(&playing.system.document, &registry)?;
        let metrics = Self {
            registry,
            requests,
            request_duration,
            visit_duration,
            queue_wait,
            delivery_error,
            in_flight,
            messages,
            refused_sockets,
            dropped_messages,
            declared,
            lateness: Lateness::new(),
            answered: AtomicU64::new(0),
        };
        metrics.begin_series(playing);
        Ok(metrics)
    }

    /// Creates the series used by rules and dashboards before any event.
    fn begin_series(&self, playing: &Playing) {
        let document = &playing.system.document;
        for (name, endpoint) in &document.endpoints {
            let status = endpoint.answer.status.to_string();
            self.requests
                .with_label_values(&[name.as_str(), &status, ""]);
            self.request_duration.with_label_values(&[name.as_str()]);
            if endpoint.socket.is_some() {
                self.messages.with_label_values(&[name.as_str(), ""]);
            }
        }
        for (name, component) in &document.components {
            self.queue_wait.with_label_values(&[name.as_str()]);
            for operation in component.operations.keys() {
                self.visit_duration
                    .with_label_values(&[name.as_str(), operation.as_str()]);
            }
        }
    }

    /// Records a response that was sent, with its lateness against the model's time.
    pub(super) fn delivered(&self, late: Duration) {
        self.delivery_error.observe(late.as_secs_f64());
        self.lateness.note(late, Instant::now());
    }

    pub(super) fn is_degraded(&self) -> bool {
        self.lateness.is_degraded(Instant::now)
    }

    /// The lateness of responses since the start.
    pub(super) fn lateness(&self) -> Totals {
        self.lateness.totals()
    }

    /// Records a request that ended in the network.
    pub(super) fn finished(&self, finished: &Finished, playing: &Playing) {
        let plan = &playing.system.plan;
        for visit in &finished.visits {
            let Some(component) = plan.components.get(visit.component as usize) else {
                continue;
            };
            let operation = component.operations.get(visit.operation as usize);
            let operation = operation.map_or("", |operation| operation.name.as_ref());
            let took = visit.cpu + visit.disk + visit.network + visit.service;
            self.visit_duration
                .with_label_values(&[component.name.as_ref(), operation])
                .observe(took.as_secs_f64());
            self.queue_wait
                .with_label_values(&[component.name.as_ref()])
                .observe(visit.queued.as_secs_f64());
            self.declared.visit(&component.name, operation, took);
        }
        self.declared.finished(finished, playing);
    }

    /// Records a completed request, whatever its outcome.
    pub(super) fn answered(&self, endpoint: &str, entry: &Entry, took: Duration) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        let status = entry.status.to_string();
        let error_type = entry.error_type.as_deref().unwrap_or_default();
        self.requests
            .with_label_values(&[endpoint, &status, error_type])
            .inc();
        if !entry.cancelled {
            self.request_duration
                .with_label_values(&[endpoint])
                .observe(took.as_secs_f64());
        }
        self.declared.answered(endpoint, entry, took);
    }

    /// Records a message of a WebSocket that was answered, or that ended its connection.
    pub(super) fn message(&self, endpoint: &str, entry: &Entry, took: Duration) {
        let error_type = entry.error_type.as_deref().unwrap_or_default();
        self.messages
            .with_label_values(&[endpoint, error_type])
            .inc();
        self.declared.message(took);
    }

    pub(super) fn refused_socket(&self) {
        self.refused_sockets.inc();
    }

    /// Number of completed requests since the start.
    pub(super) fn count(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// All metrics, including those of the system's current state.
    pub(super) fn gather(&self, reading: &Reading, revision: u64) -> Vec<MetricFamily> {
        let mut families = self.registry.gather();
        families.extend(self.of_reading(reading, revision));
        families.extend(self.declared.of_reading(reading));
        families.sort_by(|a, b| a.name().cmp(b.name()));
        families
    }

    fn of_reading(&self, reading: &Reading, revision: u64) -> Vec<MetricFamily> {
        let mut machines = families::Families::new("sparring_target_");
        for host in &reading.hosts {
            let up = host.machines.iter().filter(|machine| machine.up).count();
            let by_host = [("host", host.name.as_ref())];
            machines.add(
                "instances",
                "Running instances",
                Series::gauge(&by_host, up as f64),
            );
            for (place, machine) in host.machines.iter().enumerate() {
                let place = place.to_string();
                let labels = [("host", host.name.as_ref()), ("instance", place.as_str())];
                let mut counter = |name, help, value| {
                    machines.add(name, help, Series::counter(&labels, value));
                };
                counter(
                    "cpu_busy_seconds_total",
                    "Simulated core-seconds",
                    machine.cpu_busy_s,
                );
                counter(
                    "disk_operations_total",
                    "Simulated disk operations",
                    machine.disk_operations,
                );
                counter(
                    "disk_busy_seconds_total",
                    "Busy time of the simulated disk",
                    machine.disk_busy_s,
                );
                counter(
                    "network_bytes_total",
                    "Bytes over the simulated link",
                    machine.network_bytes,
                );
                counter(
                    "network_busy_seconds_total",
                    "Busy time of the simulated link",
                    machine.network_busy_s,
                );
                counter(
                    "restarts_total",
                    "Crashes of the instance",
                    machine.restarts as f64,
                );
                if let Some(cores) = host.cpu_cores {
                    machines.add(
                        "cpu_cores",
                        "Simulated cores",
                        Series::gauge(&labels, cores),
                    );
                }
                if let Some(limit) = host.memory_limit_kb {
                    let gauge = Series::gauge(&labels, limit * 1024.0);
                    machines.add("memory_limit_bytes", "Limit of the simulated memory", gauge);
                }
                for (part, bytes) in show::memory_parts(machine) {
                    let labels = [labels[0], labels[1], ("part", part)];
                    let gauge = Series::gauge(&labels, bytes);
                    machines.add("memory_bytes", "Simulated memory by part", gauge);
                }
            }
        }
        add_pools_and_stores(&mut machines, reading);
        machines.add(
            "revision",
            "Revision of the document in force",
            Series::gauge(&[], revision as f64),
        );
        let degraded = f64::from(u8::from(self.is_degraded()));
        machines.add(
            "degraded",
            "1 while responses are sent later than simulated",
            Series::gauge(&[], degraded),
        );
        machines.into_vec()
    }
}

fn add_pools_and_stores(families: &mut families::Families, reading: &Reading) {
    for pool in &reading.pools {
        let labels = [("pool", pool.name.as_ref())];
        let mut gauge = |name, help, value: usize| {
            families.add(name, help, Series::gauge(&labels, value as f64));
        };
        gauge("pool_in_use", "Connections in use", pool.in_use);
        gauge(
            "pool_waiting",
            "Requests that wait for a connection",
            pool.waiting,
        );
        let timeouts = Series::counter(&labels, pool.timeouts as f64);
        families.add(
            "pool_timeouts_total",
            "Timed-out waits for a connection",
            timeouts,
        );
    }
    for store in &reading.stores {
        let labels = [("store", store.name.as_ref())];
        let entries = Series::gauge(&labels, store.entries as f64);
        families.add("store_entries", "Entries of a store", entries);
        let evicted = Series::counter(&labels, store.evicted as f64);
        families.add(
            "evicted_total",
            "Entries evicted to make room for others",
            evicted,
        );
    }
}
