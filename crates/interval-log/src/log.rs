//! A log in memory.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// The percentiles that are shown of a log.
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

/// An interval's place: its begin and length in milliseconds, and its tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Since 1970, or since whatever the log's times begin at.
    pub begin_ms: u64,
    pub length_ms: u64,
    /// Empty: none.
    pub tag: String,
}

/// Histograms by interval.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IntervalLog {
    intervals: BTreeMap<Key, Histogram<u64>>,
    /// By what the column for people is divided, such as 1000 for milliseconds of microseconds.
    pub(crate) divisor: u64,
}

impl IntervalLog {
    /// A log of microseconds, whose column for people is in milliseconds.
    pub fn of_micros() -> Self {
        Self {
            divisor: 1000,
            ..Self::default()
        }
    }

    /// Adds a histogram; what is there of the same interval is added to.
    pub fn add(&mut self, key: Key, histogram: &Histogram<u64>) {
        let key = Key {
            tag: as_field(&key.tag),
            ..key
        };
        match self.intervals.get_mut(&key) {
            Some(known) => add(known, histogram),
            None => drop(self.intervals.insert(key, histogram.clone())),
        }
    }

    /// Adds another log.
    pub fn merge(&mut self, other: &Self) {
        self.divisor = self.divisor.max(other.divisor);
        for (key, histogram) in &other.intervals {
            self.add(key.clone(), histogram);
        }
    }

    /// The intervals by begin, length and tag.
    pub fn intervals(&self) -> impl ExactSizeIterator<Item = (&Key, &Histogram<u64>)> {
        self.intervals.iter()
    }

    /// All intervals together; `None` without any.
    pub fn total(&self) -> Option<Histogram<u64>> {
        let mut all = self.intervals.values();
        let mut total = all.next()?.clone();
        all.for_each(|histogram| add(&mut total, histogram));
        Some(total)
    }

    /// All intervals of each tag together.
    pub fn by_tag(&self) -> BTreeMap<&str, Histogram<u64>> {
        let mut tags: BTreeMap<&str, Histogram<u64>> = BTreeMap::new();
        for (key, histogram) in &self.intervals {
            match tags.get_mut(key.tag.as_str()) {
                Some(known) => add(known, histogram),
                None => drop(tags.insert(&key.tag, histogram.clone())),
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

/// A tag as a line of a log can have it: neither commas nor white space, which end a field.
fn as_field(tag: &str) -> String {
    tag.replace(|letter: char| letter == ',' || letter.is_whitespace(), "_")
}

/// Adds counts. Of two histograms of different kinds the sum is of the finer and larger one, whichever comes
/// first.
fn add(to: &mut Histogram<u64>, from: &Histogram<u64>) {
    let kind = |histogram: &Histogram<u64>| (histogram.low(), histogram.high(), histogram.sigfig());
    let (a, b) = (kind(to), kind(from));
    if a == b {
        return to.add(from).expect("they have the same bounds");
    }
    let wanted = (a.0.min(b.0), a.1.max(b.1), a.2.max(b.2));
    if wanted != a {
        let mut finer = Histogram::new_with_bounds(wanted.0, wanted.1, wanted.2)
            .expect("bounds of two histograms together are bounds");
        put(&mut finer, to);
        *to = finer;
    }
    put(to, from);
}

/// Each recorded value where it belongs in the other histogram.
fn put(to: &mut Histogram<u64>, from: &Histogram<u64>) {
    for step in from.iter_recorded() {
        let value = step.value_iterated_to().min(to.high());
        to.record_n(value, step.count_at_value())
            .expect("it is within the bounds");
    }
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
