//! The aggregates of samples, by metric and tags.

use std::collections::HashMap;
use std::sync::Arc;

use load_engine::ThresholdResult;
use load_metrics::{Contains, Kind, Metric, MetricId, Registry, Sample, Sink, Tags, TrendSink};

use super::config::{Config, StatKind, TrendStat};
use super::histogram::NativeHistogram;
use super::wire::{self, Label, TimeSeries};

/// All series of a run.
pub(super) struct Store {
    registry: Arc<Registry>,
    stats: Vec<TrendStat>,
    native: bool,
    rates_as_counters: bool,
    /// The default for series without this tag.
    test_id: Option<String>,
    run_tags: Tags,
    thresholds: Vec<Held>,
    all: Vec<Series>,
    by_tags: HashMap<(MetricId, Arc<Tags>), usize>,
    /// The same series by the address of their tags, which is hashed faster; the map keeps the sets alive.
    by_address: HashMap<(MetricId, usize), (Arc<Tags>, usize)>,
    refused: u64,
}

/// One metric with one set of tags; a trend is several series on the wire.
struct Series {
    name: String,
    contains: Contains,
    tags: Arc<Tags>,
    state: State,
    changed: bool,
}

/// A threshold of a run.
struct Held {
    metric: String,
    threshold: String,
    holds: bool,
}

enum State {
    Sink(Sink),
    Native(NativeHistogram),
}

/// Maximum number of series of one run.
const MAX_SERIES: usize = 500_000;
/// Maximum number of cached addresses; beyond it the cache is cleared.
const MAX_ADDRESSES: usize = 200_000;
/// The stale marker of Prometheus, a special NaN.
const STALE: u64 = 0x7ff0_0000_0000_0002;

impl Store {
    pub(super) fn new(registry: Arc<Registry>, config: &Config, run_tags: Tags) -> Self {
        Self {
            registry,
            stats: config.trend_stats.clone(),
            native: config.trend_as_native_histogram,
            rates_as_counters: config.rates_as_counters,
            test_id: config.test_id.clone(),
            run_tags,
            thresholds: Vec::new(),
            all: Vec::new(),
            by_tags: HashMap::new(),
            by_address: HashMap::new(),
            refused: 0,
        }
    }

    pub(super) fn add(&mut self, sample: &Sample) {
        let Some(slot) = self.slot(sample) else {
            self.refused += 1;
            return;
        };
        let series = &mut self.all[slot];
        series.changed = true;
        let scale = scale(series.contains);
        match &mut series.state {
            State::Native(histogram) => histogram.observe(sample.value * scale),
            State::Sink(sink) => sink.add(sample.value),
        }
    }

    /// The current state of the thresholds; those without samples are unknown.
    pub(super) fn take_thresholds(&mut self, results: &[ThresholdResult]) {
        let known = results.iter().filter(|result| result.observed.is_some());
        let held = known.map(|result| Held {
            metric: result.metric.clone(),
            threshold: result.expression.clone(),
            holds: result.passed,
        });
        self.thresholds = held.collect();
    }

    /// Samples of series beyond the maximum.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// The series with samples since the last call, and all thresholds, in wire format.
    pub(super) fn changed(&mut self, at_ms: i64) -> Vec<TimeSeries> {
        let mut out = Vec::new();
        for held in &self.thresholds {
            let mut tags = self.run_tags.clone();
            tags.set("metric", &held.metric);
            tags.set("threshold", &held.threshold);
            out.push(TimeSeries {
                labels: labels("k6_threshold_ok", &tags),
                samples: vec![wire::Sample {
                    value: f64::from(u8::from(held.holds)),
                    timestamp_ms: at_ms,
                }],
                histograms: Vec::new(),
            });
        }
        for series in self.all.iter_mut().filter(|series| series.changed) {
            series.changed = false;
            series.write(&self.stats, at_ms, &mut out);
            if self.rates_as_counters {
                series.write_counts(at_ms, &mut out);
            }
        }
        if let Some(test_id) = &self.test_id {
            out.iter_mut().for_each(|series| series.name_test(test_id));
        }
        out
    }

    pub(super) fn mark_all_changed(&mut self) {
        self.all.iter_mut().for_each(|series| series.changed = true);
    }

    /// A stale marker for every series that was sent.
    pub(super) fn stale_markers(&mut self, at_ms: i64) -> Vec<TimeSeries> {
        self.mark_all_changed();
        let mut all = self.changed(at_ms);
        for series in &mut all {
            series.histograms.clear();
            series.samples = vec![wire::Sample {
                value: f64::from_bits(STALE),
                timestamp_ms: at_ms,
            }];
        }
        all
    }

    fn slot(&mut self, sample: &Sample) -> Option<usize> {
        let address = (sample.metric, Arc::as_ptr(&sample.tags).addr());
        if let Some((_, slot)) = self.by_address.get(&address) {
            return Some(*slot);
        }
        let key = (sample.metric, Arc::clone(&sample.tags));
        let slot = match self.by_tags.get(&key) {
            Some(slot) => *slot,
            None if self.all.len() >= MAX_SERIES => return None,
            None => {
                let metric = self.registry.metric(sample.metric);
                self.all
                    .push(Series::new(&metric, &sample.tags, self.native));
                self.by_tags.insert(key, self.all.len() - 1);
                self.all.len() - 1
            }
        };
        if self.by_address.len() >= MAX_ADDRESSES {
            self.by_address.clear();
        }
        self.by_address
            .insert(address, (Arc::clone(&sample.tags), slot));
        Some(slot)
    }
}

impl Series {
    fn new(metric: &Metric, tags: &Arc<Tags>, native: bool) -> Self {
        let state = if native && metric.kind == Kind::Trend {
            State::Native(NativeHistogram::default())
        } else {
            State::Sink(Sink::new(metric.kind))
        };
        Self {
            name: metric.name.clone(),
            contains: metric.contains,
            tags: Arc::clone(tags),
            state,
            changed: false,
        }
    }

    fn write(&mut self, stats: &[TrendStat], at_ms: i64, out: &mut Vec<TimeSeries>) {
        let scale = scale(self.contains);
        let (name, tags) = (&self.name, &self.tags);
        let mut number = |suffix: &str, value: f64| {
            out.push(TimeSeries {
                labels: labels(&format!("k6_{name}{suffix}"), tags),
                samples: vec![wire::Sample {
                    value,
                    timestamp_ms: at_ms,
                }],
                histograms: Vec::new(),
            });
        };
        match &mut self.state {
            State::Sink(Sink::Counter(sink)) => number("_total", sink.sum),
            State::Sink(Sink::Gauge(sink)) => number("", sink.value * scale),
            State::Sink(Sink::Rate(sink)) => number("_rate", sink.rate()),
            State::Sink(Sink::Trend(trend)) => {
                trend.sort();
                for stat in stats {
                    let value = observe(trend, stat.kind, scale);
                    number(&format!("_{}", stat.suffix), value);
                }
            }
            State::Native(histogram) => out.push(TimeSeries {
                labels: labels(&format!("k6_{name}{}", unit(self.contains)), tags),
                samples: Vec::new(),
                histograms: vec![histogram.to_wire(at_ms)],
            }),
        }
    }

    /// The counters of a rate.
    fn write_counts(&self, at_ms: i64, out: &mut Vec<TimeSeries>) {
        let State::Sink(Sink::Rate(rate)) = &self.state else {
            return;
        };
        for (what, value) in [("trues", rate.trues), ("values", rate.total)] {
            out.push(TimeSeries {
                labels: labels(&format!("k6_{}_{what}_total", self.name), &self.tags),
                samples: vec![wire::Sample {
                    value: value as f64,
                    timestamp_ms: at_ms,
                }],
                histograms: Vec::new(),
            });
        }
    }
}

impl TimeSeries {
    /// Adds the label `testid` if it is missing.
    fn name_test(&mut self, test_id: &str) {
        if self.labels.iter().any(|label| label.name == "testid") {
            return;
        }
        self.labels.push(Label {
            name: "testid".to_owned(),
            value: test_id.to_owned(),
        });
        self.labels.sort();
    }
}

fn observe(trend: &TrendSink, stat: StatKind, scale: f64) -> f64 {
    let count = trend.count() as f64;
    match stat {
        StatKind::Count => count,
        StatKind::Sum => trend.average() * count * scale,
        StatKind::Min => trend.min() * scale,
        StatKind::Max => trend.max() * scale,
        StatKind::Average => trend.average() * scale,
        StatKind::Percentile(p) => trend.percentile(p) * scale,
    }
}

/// Converts to seconds, the base unit of Prometheus.
fn scale(contains: Contains) -> f64 {
    match contains {
        Contains::Time => 1e-3,
        Contains::Default | Contains::Data => 1.0,
    }
}

fn unit(contains: Contains) -> &'static str {
    match contains {
        Contains::Time => "_seconds",
        Contains::Data => "_bytes",
        Contains::Default => "",
    }
}

/// Sorted by name, as receivers require; labels without a value are omitted.
fn labels(name: &str, tags: &Tags) -> Vec<Label> {
    let label = |(name, value): (&str, &str)| Label {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let tags = tags.iter().filter(|(_, value)| !value.is_empty());
    let mut labels: Vec<Label> = tags.map(label).collect();
    labels.push(label(("__name__", name)));
    labels.sort();
    labels
}
