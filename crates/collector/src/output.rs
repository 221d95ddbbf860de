//! The output that pushes a runner's measurements.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use load_engine::log::{Level, Logger};
use load_metrics::{Metric, MetricId, Registry, Sample, Sink, builtin};
use load_outputs::{Output, OutputError, RunEnd, Setup};
use tokio_util::sync::CancellationToken;

use super::client::{Client, ClientError};
use super::local_copy::OwnResults;
use super::sinks::to_wire;
use super::wire::{self, CheckOf, Ended, Interval, SinkOf};

/// Interval between pushes to the collector.
const EVERY: Duration = Duration::from_secs(1);
/// How long the end of a run retries a silent collector.
const LAST_TRIES: Duration = Duration::from_secs(20);
/// Wait between two attempts at the end of a run.
const AGAIN: Duration = Duration::from_millis(500);
/// Maximum number of distinct endpoints, because scripts choose their names.
const MOST_ENDPOINTS: usize = 300;
/// Placeholder for an unknown start of the scenarios.
const NOT_BEGUN: u64 = 0;

/// Pushes counts each second. A push that the collector has not accepted is retried unchanged.
pub struct Push {
    client: Client,
    /// Used if the collector is lost.
    kept: OwnResults,
    /// Ends the run on the collector's request.
    stop: Stop,
    began_unix_ms: Began,
    logger: Logger,
    registry: Option<Arc<Registry>>,
    /// The metric itself and its sub-metrics, by the metric of a sample.
    sinks: HashMap<MetricId, Vec<(Metric, Sink)>>,
    known_metrics: usize,
    intervals: BTreeMap<(u64, String), (Histogram<u64>, u64)>,
    endpoints: HashSet<String>,
    waiting: Option<wire::Push>,
    sequence: u64,
    /// The time of the first failed request in a row.
    silent_since: Option<Instant>,
    /// Whether the run was ended because of it.
    is_lost: bool,
}

/// A signal to end the run; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    said: CancellationToken,
    why: Arc<OnceLock<String>>,
}

impl Stop {
    /// Waits for the signal and returns its reason.
    pub async fn wait(&self) -> String {
        self.said.cancelled().await;
        self.why.get().cloned().unwrap_or_default()
    }

    /// The reason, if the signal was sent.
    pub fn said(&self) -> Option<&str> {
        self.why.get().map(String::as_str)
    }

    /// Sends the signal.
    pub fn say(&self, why: String) {
        // Only the first reason counts.
        drop(self.why.set(why));
        self.said.cancel();
    }
}

/// Start of the scenarios, in milliseconds since 1970; shared with the task that waits for the start.
#[derive(Debug, Clone, Default)]
pub struct Began(Arc<AtomicU64>);

impl Began {
    pub fn set(&self, unix_ms: f64) {
        self.0.store(unix_ms as u64, Ordering::Relaxed);
    }

    fn get(&self) -> Option<f64> {
        match self.0.load(Ordering::Relaxed) {
            NOT_BEGUN => None,
            unix_ms => Some(unix_ms as f64),
        }
    }
}

impl Push {
    pub fn new(client: Client, kept: OwnResults, began_unix_ms: Began, stop: Stop) -> Self {
        Self {
            client,
            kept,
            stop,
            began_unix_ms,
            logger: Logger::silent(),
            registry: None,
            sinks: HashMap::new(),
            known_metrics: 0,
            intervals: BTreeMap::new(),
            endpoints: HashSet::new(),
            waiting: None,
            sequence: 0,
            silent_since: None,
            is_lost: false,
        }
    }

    /// Sub-metrics may be registered after the start.
    fn learn_metrics(&mut self) {
        let Some(registry) = &self.registry else {
            return;
        };
        let all = registry.all();
        for metric in all.into_iter().skip(self.known_metrics) {
            self.known_metrics += 1;
            let sink = Sink::new(metric.kind);
            let sinks = self.sinks.entry(metric.source()).or_default();
            sinks.push((metric, sink));
        }
    }

    fn count(&mut self, sample: &Sample) {
        for (metric, sink) in self.sinks.get_mut(&sample.metric).into_iter().flatten() {
            if metric.takes(&sample.tags) {
                sink.add(sample.value);
            }
        }
        if sample.metric == builtin::HTTP_REQ_DURATION {
            self.time(sample);
        }
    }

    /// Adds the latency of a request to the interval of its second.
    fn time(&mut self, sample: &Sample) {
        let tag = |name| sample.tags.get(name).unwrap_or_default();
        let mut endpoint = format!("{} {}", tag("method"), tag("name"));
        if !self.endpoints.contains(&endpoint) {
            if self.endpoints.len() >= MOST_ENDPOINTS {
                endpoint = "(other)".to_owned();
            }
            self.endpoints.insert(endpoint.clone());
        }
        let begin_ms = u64::try_from(sample.at.0 / 1_000_000_000).unwrap_or(0) * 1000;
        let (histogram, failures) = self
            .intervals
            .entry((begin_ms, endpoint))
            .or_insert_with(|| (interval_log::histogram(), 0));
        let micros = (sample.value * 1e3).round().max(0.0) as u64;
        histogram.saturating_record(micros);
        *failures += u64::from(tag("expected_response") == "false");
    }

    /// The pending push, or a new one; the same push until the collector has accepted it.
    fn next(&mut self) -> wire::Push {
        if let Some(waiting) = self.waiting.take() {
            return wire::Push {
                began_unix_ms: self.begun(),
                ..waiting
            };
        }
        self.sequence += 1;
        let mut sinks = Vec::new();
        for (metric, sink) in self
            .sinks
            .values_mut()
            .flatten()
            .filter(|(_, sink)| !sink.is_empty())
        {
            let sink = std::mem::replace(sink, Sink::new(metric.kind));
            sinks.push(SinkOf {
                metric: metric.name.clone(),
                sink: to_wire(sink),
            });
        }
        let intervals = std::mem::take(&mut self.intervals);
        let interval = |((begin_ms, endpoint), (histogram, failures)): (
            (u64, String),
            (Histogram<u64>, u64),
        )| Interval {
            begin_ms,
            endpoint,
            histogram: interval_log::encode(&histogram),
            failures,
        };
        let push = wire::Push {
            name: self.client.name().to_owned(),
            sequence: self.sequence,
            began_unix_ms: self.begun(),
            sinks,
            intervals: intervals.into_iter().map(interval).collect(),
        };
        self.kept.take(&push);
        push
    }

    fn begun(&self) -> Option<f64> {
        self.began_unix_ms
            .get()
            .map(|unix_ms| self.client.as_collector(unix_ms))
    }

    fn hand_over(&mut self) -> Result<(), ClientError> {
        let push = self.next();
        match self.client.push(&push) {
            Ok(answer) => {
                if self.silent_since.take().is_some() {
                    self.logger
                        .log(Level::Info, "the collector is reachable again", &[]);
                }
                self.obey(answer.stop);
                Ok(())
            }
            Err(error) => {
                self.waiting = Some(push);
                Err(error)
            }
        }
    }

    /// Logs an unreachable collector once and keeps the pending push. After twice the time at which the collector
    /// declares a runner lost, the run has no consumer and ends.
    fn bear(&mut self, error: &ClientError) {
        if self.silent_since.is_none() {
            self.logger
                .warn(&format!("{error}; the measurements are kept"));
        }
        let silent = self.silent_since.get_or_insert_with(Instant::now).elapsed();
        if silent > 2 * self.client.lost_after() && !self.is_lost {
            self.is_lost = true;
            let seconds = silent.as_secs();
            self.obey(Some(format!("it has not responded for {seconds} s")));
        }
    }

    /// Writes the measurements of this runner locally, because the collector did not accept all of them.
    fn keep(&mut self, ended: &Ended, error: &ClientError) {
        let url = self.client.url();
        match self.kept.write(ended, &error.to_string()) {
            Ok(folder) => self.logger.error(&format!(
                "the collector {url} is lost, and the result of the run with it; the measurements of this runner are in {}",
                folder.display()
            )),
            Err(why) => {
                let source = std::error::Error::source(&why);
                let source = source.map_or_else(String::new, |source| format!(": {source}"));
                self.logger.error(&format!(
                    "the collector {url} is lost, and the measurements of this runner cannot be saved: {why}{source}"
                ));
            }
        }
    }

    fn obey(&self, stop: Option<String>) {
        if let Some(why) = stop {
            self.stop.say(why);
        }
    }
}

impl Output for Push {
    fn description(&self) -> String {
        format!("collector ({})", self.client.name())
    }

    fn start(&mut self, setup: &Setup) -> Result<(), OutputError> {
        self.logger = setup.logger.clone();
        self.registry = Some(Arc::clone(&setup.registry));
        self.learn_metrics();
        Ok(())
    }

    fn consume(&mut self, samples: &[Sample]) -> Result<(), OutputError> {
        if self.sequence == 0 {
            self.learn_metrics();
        }
        samples.iter().for_each(|sample| self.count(sample));
        Ok(())
    }

    fn interval(&self) -> Duration {
        EVERY
    }

    fn tick(&mut self) -> Result<(), OutputError> {
        self.learn_metrics();
        match self.hand_over() {
            Ok(()) => {}
            Err(error @ ClientError::Refused(_)) => {
                self.obey(Some(error.to_string()));
            }
            Err(error) => self.bear(&error),
        }
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd) -> Result<(), OutputError> {
        let begun = self.silent_since.unwrap_or_else(Instant::now);
        // The pending push, then the new samples.
        let mut rest = 1 + usize::from(self.waiting.is_some());
        let ended = Ended {
            name: self.client.name().to_owned(),
            run_time_ms: end.duration.as_secs_f64() * 1e3,
            ended_early: end.ended_early.clone(),
            lost_samples: end.dropped_samples,
            checks: end
                .checks
                .iter()
                .map(|check| CheckOf {
                    name: check.name.clone(),
                    group: check.group.clone(),
                    passes: check.passes,
                    fails: check.fails,
                })
                .collect(),
        };
        loop {
            let done = match rest {
                0 => self.client.end(&ended).map(|_| true),
                _ => self.hand_over().map(|()| false),
            };
            match done {
                Ok(true) => return Ok(()),
                Ok(false) => rest -= 1,
                Err(error) => {
                    let is_refused = matches!(error, ClientError::Refused(_));
                    if !is_refused && !self.is_lost && begun.elapsed() < LAST_TRIES {
                        std::thread::sleep(AGAIN);
                        continue;
                    }
                    // New samples go into the local copy.
                    self.waiting = None;
                    drop(self.next());
                    self.keep(&ended, &error);
                    return Err(lost(&error));
                }
            }
        }
    }
}

/// Samples that the collector did not accept are missing from the run.
fn lost(error: &ClientError) -> OutputError {
    OutputError::Write {
        target: "the collector".to_owned(),
        source: std::io::Error::other(error.to_string()),
    }
}
