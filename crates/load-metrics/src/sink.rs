//! The aggregates of metrics.

use crate::metric::Kind;
use crate::trend::TrendSink;

/// The aggregate of one metric.
#[derive(Debug, Clone)]
pub enum Sink {
    /// A sum.
    Counter(CounterSink),
    /// A last value.
    Gauge(GaugeSink),
    /// A share.
    Rate(RateSink),
    /// A distribution.
    Trend(TrendSink),
}

/// A sum.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CounterSink {
    /// The sum of all values.
    pub sum: f64,
    /// Number of samples.
    pub samples: u64,
}

/// The last value, with minimum and maximum.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GaugeSink {
    /// The last value.
    pub value: f64,
    /// The smallest.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Number of samples.
    pub samples: u64,
}

/// The share of samples that were not zero.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RateSink {
    /// Samples that were not zero.
    pub trues: u64,
    /// All samples.
    pub total: u64,
}

impl Sink {
    /// An empty sink.
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::Counter(CounterSink::default()),
            Kind::Gauge => Self::Gauge(GaugeSink::default()),
            Kind::Rate => Self::Rate(RateSink::default()),
            Kind::Trend => Self::Trend(TrendSink::default()),
        }
    }

    /// Counts a sample.
    #[inline]
    pub fn add(&mut self, value: f64) {
        match self {
            Self::Counter(sink) => {
                sink.sum += value;
                sink.samples += 1;
            }
            Self::Gauge(sink) => sink.merge(GaugeSink {
                value,
                min: value,
                max: value,
                samples: 1,
            }),
            Self::Rate(sink) => {
                sink.trues += u64::from(value != 0.0);
                sink.total += 1;
            }
            Self::Trend(sink) => sink.push(value),
        }
    }

    /// Merges a later sink of the same kind into this one.
    pub fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Counter(mine), Self::Counter(other)) => {
                mine.sum += other.sum;
                mine.samples += other.samples;
            }
            (Self::Gauge(mine), Self::Gauge(other)) => mine.merge(other),
            (Self::Rate(mine), Self::Rate(other)) => {
                mine.trues += other.trues;
                mine.total += other.total;
            }
            (Self::Trend(mine), Self::Trend(other)) => mine.merge(other),
            _ => debug_assert!(false, "sinks of one metric are of one kind"),
        }
    }

    /// Sorts the values of a trend, as some readers require.
    pub fn sort(&mut self) {
        if let Self::Trend(trend) = self {
            trend.sort();
        }
    }

    /// Moves the values of a trend into buckets, which are less exact but bounded in size.
    pub fn compact(&mut self) {
        if let Self::Trend(trend) = self {
            trend.compact();
        }
    }

    /// Whether it has no samples.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Counter(sink) => sink.samples == 0,
            Self::Gauge(sink) => sink.samples == 0,
            Self::Rate(sink) => sink.total == 0,
            Self::Trend(sink) => sink.is_empty(),
        }
    }
}

impl CounterSink {
    /// The sum per second of `run_time`; 0 when that is zero.
    pub fn per_second(&self, run_time: std::time::Duration) -> f64 {
        if run_time.is_zero() {
            0.0
        } else {
            self.sum / run_time.as_secs_f64()
        }
    }
}

impl GaugeSink {
    fn merge(&mut self, later: Self) {
        if later.samples == 0 {
            return;
        }
        let first = self.samples == 0;
        self.min = if first {
            later.min
        } else {
            self.min.min(later.min)
        };
        self.max = if first {
            later.max
        } else {
            self.max.max(later.max)
        };
        self.value = later.value;
        self.samples += later.samples;
    }
}

impl RateSink {
    /// The share of samples that were not zero; 0 without samples.
    pub fn rate(&self) -> f64 {
        if self.total == 0 {
            0.0
        } else {
            self.trues as f64 / self.total as f64
        }
    }
}
