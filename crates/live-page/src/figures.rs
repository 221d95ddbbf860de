//! Latencies and counts of requests that belong together.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use indexmap::IndexMap;
use report::record::{Figures, Latency, PERCENTILES};

/// Values have a resolution of three digits, up to an hour.
const DIGITS: u8 = 3;
const MOST_MICROS: u64 = 3_600_000_000;
/// Maximum number of distinct errors of a group.
const MOST_ERRORS: usize = 30;

/// Requests of one kind, as a histogram and counts.
#[derive(Debug, Clone)]
pub struct Group {
    histogram: Histogram<u64>,
    pub requests: u64,
    pub failures: u64,
    sum: f64,
    squares: f64,
    /// Of the bodies of responses, where they are measured.
    pub content_bytes: Option<u64>,
    min: u64,
    max: u64,
    pub statuses: BTreeMap<u16, u64>,
    pub errors: IndexMap<String, u64>,
    /// The first and the last occurrence of each error, in seconds from the start of the test.
    pub error_times: BTreeMap<String, [f64; 2]>,
}

impl Default for Group {
    fn default() -> Self {
        let mut histogram = Histogram::new(DIGITS).expect("three digits are allowed");
        // Small at first, because most groups have no values of seconds.
        histogram.auto(true);
        Self {
            histogram,
            requests: 0,
            failures: 0,
            sum: 0.0,
            squares: 0.0,
            content_bytes: None,
            min: u64::MAX,
            max: 0,
            statuses: BTreeMap::new(),
            errors: IndexMap::new(),
            error_times: BTreeMap::new(),
        }
    }
}

impl Group {
    pub fn add(&mut self, status: u16, error: Option<&str>, micros: u64) {
        let micros = micros.min(MOST_MICROS);
        self.histogram.record(micros).expect("it grows to an hour");
        self.requests += 1;
        self.sum += micros as f64;
        self.squares += (micros as f64).powi(2);
        self.min = self.min.min(micros);
        self.max = self.max.max(micros);
        *self.statuses.entry(status).or_default() += 1;
        if let Some(error) = error {
            self.failures += 1;
            self.count_error(error, 1);
        }
    }

    /// Adds another group's requests.
    pub fn merge(&mut self, other: &Self) {
        self.histogram
            .add(&other.histogram)
            .expect("it grows to an hour");
        self.requests += other.requests;
        self.failures += other.failures;
        self.sum += other.sum;
        self.squares += other.squares;
        if let Some(bytes) = other.content_bytes {
            *self.content_bytes.get_or_insert(0) += bytes;
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (error, count) in &other.errors {
            self.count_error(error, *count);
        }
    }

    /// Records the time of an error, after counting it.
    pub fn note_error(&mut self, error: &str, at_s: f64) {
        let name = self.name_of(error).to_owned();
        let [first, last] = self.error_times.entry(name).or_insert([at_s; 2]);
        (*first, *last) = (first.min(at_s), last.max(at_s));
    }

    /// The name under which an error is counted.
    fn name_of<'a>(&self, error: &'a str) -> &'a str {
        let is_known = self.errors.contains_key(error);
        if is_known || self.errors.len() < MOST_ERRORS {
            error
        } else {
            "(other errors)"
        }
    }

    fn count_error(&mut self, error: &str, count: u64) {
        let name = self.name_of(error);
        *self.errors.entry(name.to_owned()).or_default() += count;
    }

    /// The shortest and the longest latency; `None` without requests.
    pub fn extremes_ms(&self) -> Option<[f64; 2]> {
        (self.requests > 0).then(|| [self.min, self.max].map(|micros| micros as f64 / 1e3))
    }

    /// `None` without requests.
    pub fn mean_ms(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.sum / self.requests as f64 / 1e3)
    }

    /// The value that at least this share of the requests does not exceed; `None` without requests.
    pub fn percentile_ms(&self, quantile: f64) -> Option<f64> {
        let value = || {
            self.histogram
                .value_at_quantile(quantile)
                .clamp(self.min, self.max)
        };
        (self.requests > 0).then(|| value() as f64 / 1e3)
    }

    pub fn latency(&self) -> Option<Latency> {
        let [min, max] = self.extremes_ms()?;
        let n = self.requests as f64;
        let mean = self.sum / n;
        let variance = (self.squares / n - mean.powi(2)).max(0.0);
        let percentiles = PERCENTILES.iter().filter_map(|(key, quantile)| {
            Some(((*key).to_owned(), self.percentile_ms(*quantile)?))
        });
        Some(Latency {
            mean: mean / 1e3,
            standard_deviation: variance.sqrt() / 1e3,
            min,
            max,
            percentiles: percentiles.collect(),
            intervals: BTreeMap::new(),
        })
    }

    /// The figures of a window of that length.
    pub fn figures(&self, seconds: f64) -> Figures {
        Figures {
            seconds,
            requests: self.requests,
            failures: self.failures,
            requests_per_s: (seconds > 0.0).then(|| self.requests as f64 / seconds),
            latency: self.latency(),
            content_bytes: self.content_bytes,
            ..Figures::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_rank_and_groups_add_up() {
        let (mut odd, mut even) = (Group::default(), Group::default());
        for micros in 1..=1000_u64 {
            let error = (micros > 990).then_some("too slow");
            if micros % 2 == 0 { &mut even } else { &mut odd }.add(200, error, micros * 1000);
        }
        odd.merge(&even);
        let latency = odd.latency().expect("there are requests");
        let close = |found: f64, expected: f64| (found - expected).abs() <= expected * 1e-3;
        assert!(close(latency.percentiles["p50"], 500.0), "{latency:?}");
        assert!(close(latency.percentiles["p99"], 990.0), "{latency:?}");
        assert_eq!(latency.percentiles["p100"], 1000.0);
        assert_eq!((latency.min, latency.max), (1.0, 1000.0));
        assert_eq!(
            (odd.requests, odd.failures, odd.errors["too slow"]),
            (1000, 10, 10)
        );
    }

    #[test]
    fn a_value_beyond_the_histogram_is_its_largest_and_nothing_measured_is_none() {
        let mut group = Group::default();
        assert!(group.latency().is_none() && group.percentile_ms(0.5).is_none());
        group.add(0, Some("timeout"), u64::MAX);
        assert_eq!(group.percentile_ms(1.0), Some(3_600_000.0));
        assert_eq!(group.percentile_ms(0.0), Some(3_600_000.0));
    }

    #[test]
    fn errors_that_never_repeat_have_a_bounded_size() {
        let mut group = Group::default();
        for number in 0..1000 {
            group.add(0, Some(&format!("id {number}")), 1);
        }
        assert_eq!(group.errors.len(), MOST_ERRORS + 1);
        assert_eq!(group.errors.values().sum::<u64>(), 1000);
    }
}
