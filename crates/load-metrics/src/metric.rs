//! The definition of metrics.

use std::fmt;

use crate::tags::Tags;

/// Index of a metric, or of a sub-metric, in its [`Registry`](crate::Registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetricId(pub(crate) u32);

impl MetricId {
    /// The index in tables with one entry per metric.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How samples of a metric are aggregated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A sum.
    Counter,
    /// The last value, with minimum and maximum.
    Gauge,
    /// The share of samples that are not zero.
    Rate,
    /// A distribution.
    Trend,
}

/// The kind of a metric's values, for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contains {
    /// Plain numbers.
    Default,
    /// Milliseconds.
    Time,
    /// Bytes.
    Data,
}

/// A registered metric or sub-metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The index of its aggregate.
    pub id: MetricId,
    /// `http_reqs`, or `http_reqs{status:200}` for a sub-metric.
    pub name: String,
    /// How it is aggregated.
    pub kind: Kind,
    /// The kind of its values.
    pub contains: Contains,
    /// For a sub-metric: its parent and the tags that a sample must have.
    pub filter: Option<Filter>,
}

/// The definition of a sub-metric: the samples of `parent` that have all of `tags`.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The metric whose samples are filtered.
    pub parent: MetricId,
    /// The text between the braces, as written.
    pub suffix: String,
    /// The pairs that a sample must have.
    pub tags: Vec<(String, String)>,
}

impl Metric {
    /// The metric whose samples it aggregates: its parent for a sub-metric, otherwise itself.
    pub fn source(&self) -> MetricId {
        self.filter.as_ref().map_or(self.id, |filter| filter.parent)
    }

    /// Whether it aggregates a sample of its source with these tags.
    pub fn takes(&self, tags: &Tags) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.takes(tags))
    }
}

impl Filter {
    /// Whether these tags have all pairs.
    pub fn takes(&self, tags: &Tags) -> bool {
        let mut pairs = self.tags.iter();
        pairs.all(|(key, value)| tags.get(key) == Some(value.as_str()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Rate => "rate",
            Self::Trend => "trend",
        })
    }
}

impl fmt::Display for Contains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Time => "time",
            Self::Data => "data",
        })
    }
}
