//! The results of a simulation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::network::{Finished, MachineReading, Outcome, Reading};

/// Number of batches whose means give the standard error.
const BATCHES: usize = 30;

/// Figures of a simulation, in the format of `sparring target simulate --json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Number of completed requests.
    pub requests: u64,
    pub ok: u64,
    /// Number of failed requests.
    pub rejected: u64,
    /// By `error_type`.
    pub errors: BTreeMap<Arc<str>, u64>,
    /// The same requests by endpoint, `error_type` and status; 0 without a response.
    pub failures: BTreeMap<(Arc<str>, Arc<str>, u16), u64>,
    /// The measured model time.
    pub elapsed: Duration,
    /// Successful requests per second.
    pub throughput_per_s: f64,
    /// Mean of successful requests; the percentiles are of these, too.
    pub mean_ms: f64,
    /// Standard error of the mean by 30 batch means.
    pub mean_error_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    /// Share of requests that waited for a slot or a connection.
    pub wait_share: f64,
    pub utilisation: Vec<Utilisation>,
    /// Events of the whole run, including the warm-up.
    pub events: u64,
}

/// The utilisation of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Utilisation {
    pub host: Arc<str>,
    /// `cpu`, `disk` or `network`.
    pub resource: &'static str,
    /// Share of all instances; 1 is full use. Resources without a limit are not listed.
    pub share: f64,
}

/// Measurements collected during the run.
#[derive(Debug)]
pub(super) struct Measured {
    begin: Option<Reading>,
    times_ns: Vec<u64>,
    ended: u64,
    waited: u64,
    errors: BTreeMap<Arc<str>, u64>,
    failures: BTreeMap<(Arc<str>, Arc<str>, u16), u64>,
    /// Names of the endpoints, by index.
    endpoints: Vec<Arc<str>>,
    pub(super) events: u64,
}

impl Measured {
    pub(super) fn new(requests: usize, endpoints: Vec<Arc<str>>) -> Self {
        Self {
            begin: None,
            times_ns: Vec::with_capacity(requests.min(1 << 24)),
            ended: 0,
            waited: 0,
            errors: BTreeMap::new(),
            failures: BTreeMap::new(),
            endpoints,
            events: 0,
        }
    }

    pub(super) fn begin(&mut self, reading: Reading) {
        self.begin = Some(reading);
    }

    pub(super) fn add(&mut self, finished: &Finished) {
        self.ended += 1;
        self.waited += u64::from(finished.waited);
        match &finished.outcome {
            Outcome::Succeeded { .. } => {
                self.times_ns.push(finished.elapsed().as_nanos() as u64);
            }
            Outcome::Failed(_) | Outcome::Left => {
                let name: Arc<str> = finished.outcome.error_type().unwrap_or("left").into();
                *self.errors.entry(name.clone()).or_default() += 1;
                let endpoint = self.endpoints.get(finished.endpoint).cloned();
                let status = finished.outcome.status().unwrap_or(0);
                let failure = (endpoint.unwrap_or_else(|| "".into()), name, status);
                *self.failures.entry(failure).or_default() += 1;
            }
        }
    }

    pub(super) fn report(mut self, end: &Reading) -> Report {
        let began = self.begin.as_ref().map_or(Duration::ZERO, |begin| begin.at);
        let elapsed = end.at.saturating_sub(began);
        let (mean_ms, mean_error_ms) = batch_means(&self.times_ns);
        self.times_ns.sort_unstable();
        let ok = self.times_ns.len() as u64;
        let percentile = |share: f64| percentile_ms(&self.times_ns, share);
        Report {
            requests: self.ended,
            ok,
            rejected: self.ended - ok,
            elapsed,
            throughput_per_s: ratio(ok as f64, elapsed.as_secs_f64()),
            mean_ms,
            mean_error_ms,
            p50_ms: percentile(0.50),
            p95_ms: percentile(0.95),
            p99_ms: percentile(0.99),
            wait_share: ratio(self.waited as f64, self.ended as f64),
            utilisation: utilisation(self.begin.as_ref(), end, elapsed.as_secs_f64()),
            events: self.events,
            errors: self.errors,
            failures: self.failures,
        }
    }
}

/// Mean and standard error, milliseconds.
fn batch_means(times_ns: &[u64]) -> (f64, f64) {
    let mean = |times: &[u64]| {
        let sum: u128 = times.iter().map(|time| u128::from(*time)).sum();
        ratio(sum as f64, times.len() as f64) / 1e6
    };
    let all = mean(times_ns);
    let size = times_ns.len() / BATCHES;
    if size == 0 {
        return (all, 0.0);
    }
    let batches: Vec<f64> = times_ns
        .chunks_exact(size)
        .take(BATCHES)
        .map(mean)
        .collect();
    let centre = batches.iter().sum::<f64>() / BATCHES as f64;
    let squares: f64 = batches.iter().map(|batch| (batch - centre).powi(2)).sum();
    let variance = squares / (BATCHES - 1) as f64;
    (all, (variance / BATCHES as f64).sqrt())
}

fn percentile_ms(sorted_ns: &[u64], share: f64) -> f64 {
    let place = (share * sorted_ns.len() as f64).ceil() as usize;
    let time = sorted_ns.get(place.saturating_sub(1));
    time.map_or(0.0, |time| *time as f64 / 1e6)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Relative to the limits and instances at the end.
fn utilisation(begin: Option<&Reading>, end: &Reading, elapsed_s: f64) -> Vec<Utilisation> {
    let mut found = Vec::new();
    for (place, host) in end.hosts.iter().enumerate() {
        let before = begin.and_then(|begin| begin.hosts.get(place));
        let busy = |of: fn(&MachineReading) -> f64| {
            let before = before.map_or(0.0, |host| host.machines.iter().map(of).sum());
            host.machines.iter().map(of).sum::<f64>() - before
        };
        let instances = host.instances as f64;
        let mut add = |resource, busy_s: f64, servers: Option<f64>| {
            if let Some(servers) = servers {
                found.push(Utilisation {
                    host: host.name.clone(),
                    resource,
                    share: ratio(busy_s, elapsed_s * servers * instances),
                });
            }
        };
        add("cpu", busy(|one| one.cpu_busy_s), host.cpu_cores);
        add(
            "disk",
            busy(|one| one.disk_busy_s),
            host.has_disk.then_some(1.0),
        );
        add(
            "network",
            busy(|one| one.network_busy_s),
            host.has_network.then_some(1.0),
        );
    }
    found
}
