//! A log in memory.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::packed::Packed;

/// The default percentiles of a log.
pub const PERCENTILES: [(&str, f64); 9] = [
    ("p50", 0.5),
    ("p75", 0.75),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p98", 0.98),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
    ("p100", 1.0),
];

/// The key of an interval: its start and length in milliseconds, and its tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The start since 1970, or since the base time of the log.
    pub begin_ms: u64,
    pub length_ms: u64,
    /// The tag; empty means none.
    pub tag: String,
}

/// Histograms by interval.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IntervalLog {
    intervals: BTreeMap<Key, Packed>,
    /// The divisor of the display column, such as 1000 for milliseconds of microseconds.
    pub(crate) divisor: u64,
}

impl IntervalLog {
    /// A log of microseconds, with a display column in milliseconds.
    pub fn of_micros() -> Self {
        Self {
            divisor: 1000,
            ..Self::default()
        }
    }

    /// Adds a histogram; histograms of the same interval are merged.
    pub fn add(&mut self, key: Key, histogram: &Histogram<u64>) {
        let key = Key {
            tag: as_field(&key.tag),
            ..key
        };
        match self.intervals.get_mut(&key) {
            Some(known) => known.add(&Packed::new(histogram)),
            None => drop(self.intervals.insert(key, Packed::new(histogram))),
        }
    }

    /// Adds another log.
    pub fn merge(&mut self, other: &Self) {
        self.divisor = self.divisor.max(other.divisor);
        for (key, histogram) in &other.intervals {
            match self.intervals.get_mut(key) {
                Some(known) => known.add(histogram),
                None => drop(self.intervals.insert(key.clone(), histogram.clone())),
            }
        }
    }

    /// The intervals by start, length and tag.
    pub fn intervals(&self) -> impl ExactSizeIterator<Item = (&Key, Histogram<u64>)> {
        let all = self.intervals.iter();
        all.map(|(key, histogram)| (key, histogram.unpack()))
    }

    /// The keys of the intervals, in the same order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Key> {
        self.intervals.keys()
    }

    /// The histogram of an interval.
    pub fn histogram(&self, key: &Key) -> Option<Histogram<u64>> {
        self.intervals.get(key).map(Packed::unpack)
    }

    /// All intervals together; `None` without any.
    pub fn total(&self) -> Option<Histogram<u64>> {
        let mut all = self.intervals.values();
        let mut total = all.next()?.unpack();
        all.for_each(|histogram| histogram.add_to(&mut total));
        Some(total)
    }

    /// All intervals of each tag together.
    pub fn by_tag(&self) -> BTreeMap<&str, Histogram<u64>> {
        let mut tags: BTreeMap<&str, Histogram<u64>> = BTreeMap::new();
        for (key, histogram) in &self.intervals {
            match tags.get_mut(key.tag.as_str()) {
                Some(known) => histogram.add_to(known),
                None => drop(tags.insert(&key.tag, histogram.unpack())),
            }
        }
        tags
    }

    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// The unit in which values are shown, as a divisor.
    pub fn divisor(&self) -> u64 {
        self.divisor.max(1)
    }
}

/// A tag without commas and white space, which separate the fields of a line.
fn as_field(tag: &str) -> String {
    tag.replace(|letter: char| letter == ',' || letter.is_whitespace(), "_")
}

/// The smallest recorded value that at least this share of the values does not exceed; `None` without values.
pub fn percentile(histogram: &Histogram<u64>, quantile: f64) -> Option<u64> {
    let count = histogram.len();
    let rank = ((quantile * count as f64).ceil() as u64).clamp(1, count.max(1));
    let mut before = 0;
    for step in histogram.iter_recorded() {
        before += step.count_at_value();
        if before >= rank {
            return Some(step.value_iterated_to());
        }
    }
    None
}
