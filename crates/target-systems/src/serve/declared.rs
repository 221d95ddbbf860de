//! Metrics that a document declares under its own names.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, HistogramOpts, HistogramVec, Opts, Registry};

use super::entry::Entry;
use super::families::{Families, Kind, Series};
use super::metrics::BUCKETS;
use super::playing::Playing;
use crate::document::{Document, Flow, Metric, Step, Subject};
use crate::network::{Cause, Finished, Outcome, Reading};

/// The time window of gauges of recent events.
const WINDOW: Duration = Duration::from_secs(60);
/// Minimum number of lookups for a ratio.
const LEAST_LOOKUPS: f64 = 20.0;

/// All declared metrics.
#[derive(Debug)]
pub(super) struct Declared {
    histograms: Vec<(Metric, HistogramVec)>,
    counters: Vec<(Metric, CounterVec)>,
    gauges: Vec<Metric>,
    /// Endpoints with a workflow, each with its store.
    workflow_endpoints: Vec<(String, String)>,
    recent: Mutex<Recent>,
}

/// Past sums, for gauges over the last minute.
#[derive(Debug, Default)]
struct Recent {
    /// Hits and lookups by component.
    lookups: VecDeque<(Instant, Lookups)>,
    /// Seconds and visits by component.
    visits: BTreeMap<String, VecDeque<(Instant, f64)>>,
}

/// Hits and lookups by component.
type Lookups = BTreeMap<String, (f64, f64)>;

/// Maximum number of visits in a mean over the last minute.
const MOST_VISITS: usize = 10_000;

/// The subjects of a series: values by label.
type Subjects<'a> = &'a [(&'a str, &'a str)];

impl Declared {
    pub(super) fn new(document: &Document, registry: &Registry) -> Result<Self, prometheus::Error> {
        let mut declared = Self {
            histograms: Vec::new(),
            counters: Vec::new(),
            gauges: Vec::new(),
            workflow_endpoints: workflows(document),
            recent: Mutex::default(),
        };
        for metric in &document.metrics {
            let labels: Vec<&str> = metric.labels.iter().map(String::as_str).collect();
            let help = if metric.help.is_empty() {
                &metric.name
            } else {
                &metric.help
            };
            match metric.kind {
                crate::document::MetricKind::Histogram => {
                    let opts = HistogramOpts::new(&metric.name, help).buckets(BUCKETS.to_vec());
                    let histogram = HistogramVec::new(opts, &labels)?;
                    registry.register(Box::new(histogram.clone()))?;
                    declared.histograms.push((metric.clone(), histogram));
                }
                crate::document::MetricKind::Counter if is_read(metric.of) => {
                    declared.gauges.push(metric.clone());
                }
                crate::document::MetricKind::Counter => {
                    let counter = CounterVec::new(Opts::new(&metric.name, help), &labels)?;
                    registry.register(Box::new(counter.clone()))?;
                    declared.counters.push((metric.clone(), counter));
                }
                crate::document::MetricKind::Gauge => declared.gauges.push(metric.clone()),
            }
        }
        declared.begin_series(document);
        Ok(declared)
    }

    /// Creates the series before any event, so that rates and alerts see the first one.
    fn begin_series(&self, document: &Document) {
        for (name, component) in &document.components {
            for operation in component.operations.keys() {
                let about = about_visit(name, operation);
                self.begin(Subject::VisitDuration, &about);
                self.begin(Subject::VisitCount, &about);
            }
        }
        for (endpoint, store) in &self.workflow_endpoints {
            let about = about_workflow(endpoint, store);
            self.begin(Subject::WorkflowDuration, &about);
            self.begin(Subject::WorkflowCompleted, &about);
        }
        for (name, endpoint) in &document.endpoints {
            let status = endpoint.answer.status.to_string();
            let about = about_request(name, &endpoint.route, &status, "");
            self.begin(Subject::RequestDuration, &about);
            self.begin(Subject::RequestCount, &about);
            for cause in Cause::ALL {
                let status = cause.status().to_string();
                let about = about_request(name, &endpoint.route, &status, cause.name());
                self.begin(Subject::RequestErrors, &about);
            }
        }
        self.begin(Subject::HubMessageDuration, &[]);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let components = document.components.keys().cloned();
        recent.visits = components.map(|name| (name, VecDeque::new())).collect();
    }

    fn begin(&self, of: Subject, about: Subjects<'_>) {
        let histograms = self.histograms.iter();
        for (metric, histogram) in histograms.filter(|(metric, _)| metric.of == of) {
            if applies(metric, about) {
                histogram.with_label_values(&labels(metric, about));
            }
        }
        let counters = self.counters.iter();
        for (metric, counter) in counters.filter(|(metric, _)| metric.of == of) {
            if applies(metric, about) {
                counter.with_label_values(&labels(metric, about));
            }
        }
    }

    pub(super) fn visit(&self, component: &str, operation: &str, took: Duration) {
        let about = about_visit(component, operation);
        self.observe(Subject::VisitDuration, &about, took);
        self.count(Subject::VisitCount, &about);
        if self
            .gauges
            .iter()
            .any(|metric| metric.of == Subject::VisitDurationMean)
        {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let visits = recent.visits.entry(component.to_owned()).or_default();
            visits.push_back((Instant::now(), took.as_secs_f64()));
            if visits.len() > MOST_VISITS {
                visits.pop_front();
            }
        }
    }

    pub(super) fn finished(&self, finished: &Finished, playing: &Playing) {
        let Some(endpoint) = playing.endpoints.get(finished.endpoint) else {
            return;
        };
        let ended_well = matches!(finished.outcome, Outcome::Succeeded { .. });
        let mut workflows = self.workflow_endpoints.iter();
        let workflow = workflows.find(|(name, _)| *name == endpoint.name);
        if let Some((_, store)) = workflow.filter(|_| ended_well) {
            let about = about_workflow(&endpoint.name, store);
            self.observe(Subject::WorkflowDuration, &about, finished.elapsed());
            self.count(Subject::WorkflowCompleted, &about);
        }
    }

    pub(super) fn answered(&self, endpoint: &str, entry: &Entry, took: Duration) {
        let status = entry.status.to_string();
        let route = entry.route.as_deref().unwrap_or_default();
        let error_type = entry.error_type.as_deref().unwrap_or_default();
        let about = about_request(endpoint, route, &status, error_type);
        if !entry.cancelled {
            self.observe(Subject::RequestDuration, &about, took);
        }
        self.count(Subject::RequestCount, &about);
        if entry.error_type.is_some() {
            self.count(Subject::RequestErrors, &about);
        }
    }

    pub(super) fn message(&self, took: Duration) {
        self.observe(Subject::HubMessageDuration, &[], took);
    }

    fn observe(&self, of: Subject, about: Subjects<'_>, took: Duration) {
        for (metric, histogram) in &self.histograms {
            if metric.of == of && applies(metric, about) {
                histogram
                    .with_label_values(&labels(metric, about))
                    .observe(took.as_secs_f64());
            }
        }
    }

    fn count(&self, of: Subject, about: Subjects<'_>) {
        for (metric, counter) in &self.counters {
            if metric.of == of && applies(metric, about) {
                counter.with_label_values(&labels(metric, about)).inc();
            }
        }
    }

    /// Gauges, and counters that the network keeps itself.
    pub(super) fn of_reading(&self, reading: &Reading) -> Vec<MetricFamily> {
        let mut families = Families::new("");
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.note(reading);
        for metric in &self.gauges {
            let kind = match metric.kind {
                crate::document::MetricKind::Counter => Kind::Counter,
                _ => Kind::Gauge,
            };
            let figures = figures(metric.of, reading, &recent);
            // Components whose messages the metric does not distinguish are counted together.
            let mut sums: IndexMap<Vec<String>, f64> = IndexMap::new();
            for (about, value) in &figures {
                let about: Vec<(&str, &str)> = about
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                if applies(metric, &about) {
                    let values = labels(metric, &about).into_iter().map(str::to_owned);
                    *sums.entry(values.collect()).or_default() += value;
                }
            }
            for (values, value) in sums {
                let names = metric.labels.iter().map(String::as_str);
                let values = values.iter().map(String::as_str);
                let pairs: Vec<(&str, &str)> = names.zip(values).collect();
                families.add(&metric.name, &metric.help, Series::new(kind, &pairs, value));
            }
        }
        families.into_vec()
    }
}

fn about_visit<'a>(component: &'a str, operation: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("component", component),
        ("operation", operation),
        ("tool", operation),
        ("agent", operation),
    ]
}

fn about_workflow<'a>(endpoint: &'a str, store: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("store", store),
        ("endpoint", endpoint),
        ("scenario", endpoint),
    ]
}

fn about_request<'a>(
    endpoint: &'a str,
    route: &'a str,
    status: &'a str,
    error_type: &'a str,
) -> [(&'a str, &'a str); 6] {
    let (method, path) = route.split_once(' ').unwrap_or_default();
    [
        ("endpoint", endpoint),
        ("scenario", endpoint),
        ("status", status),
        ("error_type", error_type),
        ("method", method),
        ("path", path),
    ]
}

/// Counters that are read from the network instead of being counted here.
fn is_read(of: Subject) -> bool {
    of == Subject::BusMessages
}

/// Endpoints with a workflow, each with its store: those that advance an entry to its last state.
fn workflows(document: &Document) -> Vec<(String, String)> {
    let endpoints = document.endpoints.iter();
    let kept = endpoints.filter_map(|(name, endpoint)| {
        let store = completed(document, &endpoint.flow)?;
        Some((name.clone(), store.to_owned()))
    });
    kept.collect()
}

/// The store whose entries the steps advance to their last state.
fn completed<'a>(document: &Document, flow: &'a Flow) -> Option<&'a str> {
    flow.iter().find_map(|step| {
        if let Step::State(state) = step {
            let store = state.advance.as_deref()?;
            let last = document.stores.get(store)?.states.last();
            return (last.is_some() && last == state.to.as_ref()).then_some(store);
        }
        let mut inner = step.inner().into_iter();
        inner.find_map(|flow| completed(document, flow))
    })
}

fn applies(metric: &Metric, about: Subjects<'_>) -> bool {
    metric.only.iter().all(|(name, wanted)| {
        about
            .iter()
            .any(|(known, value)| known == name && value == wanted)
    })
}

/// Values of the metric's labels; a label without a value is empty.
fn labels<'a>(metric: &Metric, about: Subjects<'a>) -> Vec<&'a str> {
    let value = |name: &String| {
        about
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| *value)
    };
    metric.labels.iter().map(value).collect()
}

/// A figure with its subjects.
type Figured = (IndexMap<String, String>, f64);

fn about<const N: usize>(pairs: [(&str, &str); N]) -> IndexMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn figures(of: Subject, reading: &Reading, recent: &Recent) -> Vec<Figured> {
    match of {
        Subject::StoreEntries => {
            let stores = reading.stores.iter();
            stores
                .map(|store| (about([("store", &store.name)]), store.entries as f64))
                .collect()
        }
        Subject::PoolInUse | Subject::PoolWaiting | Subject::PoolIdle => {
            let figure = |pool: &crate::network::PoolReading| match of {
                Subject::PoolInUse => pool.in_use,
                Subject::PoolWaiting => pool.waiting,
                _ => pool.size.saturating_sub(pool.in_use),
            };
            let pools = reading.pools.iter();
            pools
                .map(|pool| (about([("pool", &pool.name)]), figure(pool) as f64))
                .collect()
        }
        Subject::PoolStates => reading.pools.iter().flat_map(pool_states).collect(),
        Subject::HostCpu => {
            let busy = |host: &crate::network::HostReading| {
                host.machines
                    .iter()
                    .map(|machine| machine.cpu_busy_s)
                    .sum::<f64>()
            };
            reading
                .hosts
                .iter()
                .map(|host| (about([("host", &host.name)]), busy(host)))
                .collect()
        }
        Subject::HostMemory => {
            let used = |host: &crate::network::HostReading| {
                host.machines
                    .iter()
                    .map(|machine| machine.memory_used_kb * 1024.0)
                    .sum::<f64>()
            };
            reading
                .hosts
                .iter()
                .map(|host| (about([("host", &host.name)]), used(host)))
                .collect()
        }
        Subject::HubConnections => {
            let open: usize = reading.components.iter().map(|one| one.connections).sum();
            vec![(about([]), open as f64)]
        }
        Subject::BusMessages => {
            let components = reading.components.iter();
            components
                .map(|one| (about([("component", &one.name)]), one.messages as f64))
                .collect()
        }
        Subject::CacheHitRatio => recent.hit_ratios(),
        Subject::VisitDurationMean => recent.visit_means(),
        _ => Vec::new(),
    }
}

fn pool_states(pool: &crate::network::PoolReading) -> [Figured; 3] {
    let idle = pool.size.saturating_sub(pool.in_use);
    [
        ("active", pool.in_use),
        ("idle", idle),
        ("waiting", pool.waiting),
    ]
    .map(|(state, count)| {
        (
            about([("pool", &pool.name), ("state", state)]),
            count as f64,
        )
    })
}

impl Recent {
    fn note(&mut self, reading: &Reading) {
        let now = Instant::now();
        let lookups = reading.components.iter().map(|one| {
            let (hits, misses) = (one.cache_hits as f64, one.cache_misses as f64);
            (one.name.to_string(), (hits, hits + misses))
        });
        self.lookups.push_back((now, lookups.collect()));
        // One sum from before the window is needed for comparison.
        while self.lookups.len() > 2 && now.duration_since(self.lookups[1].0) > WINDOW {
            self.lookups.pop_front();
        }
        for visits in self.visits.values_mut() {
            while visits
                .front()
                .is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
            {
                visits.pop_front();
            }
        }
    }

    /// NaN if there were too few lookups.
    fn hit_ratios(&self) -> Vec<Figured> {
        let (Some((_, first)), Some((_, last))) = (self.lookups.front(), self.lookups.back())
        else {
            return Vec::new();
        };
        let ratio = |(name, (hits, lookups)): (&String, &(f64, f64))| {
            let alone = self.lookups.len() == 1;
            let before = if alone { None } else { first.get(name) };
            let (hits_before, lookups_before) = before.copied().unwrap_or_default();
            let (hits, lookups) = (hits - hits_before, lookups - lookups_before);
            let ratio = if lookups < LEAST_LOOKUPS {
                f64::NAN
            } else {
                hits / lookups
            };
            (about([("component", name)]), ratio)
        };
        last.iter().map(ratio).collect()
    }

    /// Milliseconds; NaN without visits.
    fn visit_means(&self) -> Vec<Figured> {
        let mean = |(name, visits): (&String, &VecDeque<(Instant, f64)>)| {
            let sum: f64 = visits.iter().map(|(_, seconds)| seconds).sum();
            (
                about([("component", name)]),
                sum * 1e3 / visits.len() as f64,
            )
        };
        self.visits.iter().map(mean).collect()
    }
}
