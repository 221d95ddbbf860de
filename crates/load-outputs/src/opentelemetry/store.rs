//! The aggregates of samples, by metric and tags.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use load_metrics::{Contains, Kind, MetricId, Registry, Sample, Tags};

use super::wire::{
    CUMULATIVE, Gauge, Histogram, HistogramPoint, KeyValue, Metric, NumberPoint, Sum,
};

/// All series of a run.
pub(super) struct Store {
    registry: Arc<Registry>,
    prefix: String,
    start_unix_nanos: u64,
    metrics: IndexMap<MetricId, HashMap<Arc<Tags>, State>>,
    series: usize,
    refused: u64,
}

enum State {
    Counter(f64),
    Gauge(f64),
    Rate { zero: f64, nonzero: f64 },
    Trend(Buckets),
}

struct Buckets {
    counts: Vec<u64>,
    sum: f64,
    min: f64,
    max: f64,
}

/// Maximum number of series of one run.
const MAX_SERIES: usize = 200_000;

/// The usual bounds of explicit buckets, as SDKs have them.
const BOUNDS: [f64; 15] = [
    0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0,
    10000.0,
];

impl Store {
    pub(super) fn new(registry: Arc<Registry>, prefix: &str, start_unix_nanos: u64) -> Self {
        Self {
            registry,
            prefix: prefix.to_owned(),
            start_unix_nanos,
            metrics: IndexMap::new(),
            series: 0,
            refused: 0,
        }
    }

    pub(super) fn add(&mut self, sample: &Sample) {
        let by_tags = self.metrics.entry(sample.metric).or_default();
        let state = match by_tags.get_mut(&sample.tags) {
            Some(state) => state,
            None if self.series >= MAX_SERIES => {
                self.refused += 1;
                return;
            }
            None => {
                self.series += 1;
                let new = State::new(self.registry.metric(sample.metric).kind);
                by_tags.entry(Arc::clone(&sample.tags)).or_insert(new)
            }
        };
        state.add(sample.value);
    }

    /// Samples of series beyond the maximum.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// All aggregates so far.
    pub(super) fn metrics(&self, now_unix_nanos: u64) -> Vec<Metric> {
        let at = At {
            start: self.start_unix_nanos,
            now: now_unix_nanos,
        };
        let all = self.metrics.iter();
        all.map(|(id, by_tags)| {
            let metric = self.registry.metric(*id);
            let mut out = Metric {
                name: format!("{}{}", self.prefix, metric.name),
                unit: unit(metric.contains).to_owned(),
                ..Metric::default()
            };
            for (tags, state) in by_tags {
                state.write(&mut out, &attributes(tags), &at);
            }
            out
        })
        .collect()
    }
}

struct At {
    start: u64,
    now: u64,
}

impl At {
    fn number(&self, value: f64, attributes: Vec<KeyValue>) -> NumberPoint {
        NumberPoint {
            start_unix_nanos: self.start,
            unix_nanos: self.now,
            value: Some(value),
            attributes,
        }
    }
}

impl State {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::Counter(0.0),
            Kind::Gauge => Self::Gauge(0.0),
            Kind::Rate => Self::Rate {
                zero: 0.0,
                nonzero: 0.0,
            },
            Kind::Trend => Self::Trend(Buckets {
                counts: vec![0; BOUNDS.len() + 1],
                sum: 0.0,
                min: f64::INFINITY,
                max: f64::NEG_INFINITY,
            }),
        }
    }

    fn add(&mut self, value: f64) {
        match self {
            Self::Counter(sum) => *sum += value,
            Self::Gauge(last) => *last = value,
            Self::Rate { zero, nonzero } => {
                *(if value == 0.0 { zero } else { nonzero }) += 1.0;
            }
            Self::Trend(buckets) => {
                // A value belongs to the first bucket whose bound it does not exceed.
                let slot = BOUNDS.partition_point(|bound| *bound < value);
                buckets.counts[slot] += 1;
                buckets.sum += value;
                buckets.min = buckets.min.min(value);
                buckets.max = buckets.max.max(value);
            }
        }
    }

    fn write(&self, out: &mut Metric, attributes: &[KeyValue], at: &At) {
        match self {
            Self::Counter(sum) => {
                let points = &mut sum_of(out).data_points;
                points.push(at.number(*sum, attributes.to_vec()));
            }
            Self::Gauge(last) => {
                let points = &mut out.gauge.get_or_insert_with(Gauge::default).data_points;
                points.push(at.number(*last, attributes.to_vec()));
            }
            Self::Rate { zero, nonzero } => {
                for (condition, count) in [("zero", zero), ("nonzero", nonzero)] {
                    let mut attributes = attributes.to_vec();
                    attributes.push(KeyValue::new("condition", condition));
                    sum_of(out).data_points.push(at.number(*count, attributes));
                }
            }
            Self::Trend(buckets) => {
                let histogram = out.histogram.get_or_insert_with(|| Histogram {
                    data_points: Vec::new(),
                    aggregation_temporality: CUMULATIVE,
                });
                histogram.data_points.push(HistogramPoint {
                    start_unix_nanos: at.start,
                    unix_nanos: at.now,
                    count: buckets.counts.iter().sum(),
                    sum: Some(buckets.sum),
                    bucket_counts: buckets.counts.clone(),
                    explicit_bounds: BOUNDS.to_vec(),
                    attributes: attributes.to_vec(),
                    min: Some(buckets.min),
                    max: Some(buckets.max),
                });
            }
        }
    }
}

fn sum_of(metric: &mut Metric) -> &mut Sum {
    metric.sum.get_or_insert_with(|| Sum {
        data_points: Vec::new(),
        aggregation_temporality: CUMULATIVE,
        is_monotonic: true,
    })
}

fn attributes(tags: &Tags) -> Vec<KeyValue> {
    tags.iter().map(|(k, v)| KeyValue::new(k, v)).collect()
}

fn unit(contains: Contains) -> &'static str {
    match contains {
        Contains::Time => "ms",
        Contains::Data => "By",
        Contains::Default => "",
    }
}
