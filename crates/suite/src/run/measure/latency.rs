//! Latencies from histograms.

use analysis::order_interval::rank_interval;
use hdrhistogram::Histogram;
use report::record::{Latency, PERCENTILES};

const CONFIDENCE: f64 = 0.95;

/// A histogram of these microseconds: three digits, from a microsecond to an hour.
pub fn histogram(micros: impl Iterator<Item = u32>) -> Histogram<u64> {
    let mut histogram = interval_log::histogram();
    for value in micros {
        histogram.saturating_record(u64::from(value));
    }
    histogram
}

/// Mean, percentiles and their intervals in milliseconds; `None` without values. The mean, the standard
/// deviation and the extremes are exact; percentiles are those of the histogram, never above the
/// largest value.
pub(super) fn latency(values: &[&[u32]]) -> Option<Latency> {
    let all = || values.iter().flat_map(|cell| cell.iter().copied());
    let count = all().count();
    let (min, max) = (all().min()?, all().max()?);
    let n = count as f64;
    let mean = all().map(f64::from).sum::<f64>() / n;
    let squares = all()
        .map(|value| (f64::from(value) - mean).powi(2))
        .sum::<f64>();
    let mut latency = Latency {
        mean: ms(mean),
        standard_deviation: ms((squares / n).sqrt()),
        min: ms(f64::from(min)),
        max: ms(f64::from(max)),
        ..Latency::default()
    };
    let ranked = Ranked::new(&histogram(all()), max);
    for (key, quantile) in PERCENTILES {
        let rank = ((quantile * n).ceil() as u64).clamp(1, count as u64);
        let value = ranked.value(rank);
        latency.percentiles.insert(key.to_owned(), value);
        let ranks = rank_interval(count as u64, quantile, CONFIDENCE).ok();
        let ends = ranks.and_then(|ranks| ranks.lower.zip(ranks.upper));
        if let Some((lower, upper)) = ends {
            let interval = [ranked.value(lower), ranked.value(upper)];
            latency.intervals.insert(key.to_owned(), interval);
        }
    }
    Some(latency)
}

/// Values by rank.
struct Ranked {
    /// The number of values up to each recorded one, and that value, ascending.
    cumulated: Vec<(u64, u64)>,
    max: u32,
}

impl Ranked {
    fn new(histogram: &Histogram<u64>, max: u32) -> Self {
        let mut count = 0;
        let recorded = histogram.iter_recorded().map(|step| {
            count += step.count_at_value();
            (count, step.value_iterated_to())
        });
        Self {
            cumulated: recorded.collect(),
            max,
        }
    }

    /// The value with this rank, counted from 1, in milliseconds.
    fn value(&self, rank: u64) -> f64 {
        let place = self.cumulated.partition_point(|(count, _)| *count < rank);
        let value = self.cumulated.get(place).map_or(0, |(_, value)| *value);
        ms(value.min(u64::from(self.max)) as f64)
    }
}

fn ms(micros: f64) -> f64 {
    micros / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_rank_and_never_above_the_largest_value() {
        let values: Vec<u32> = (1..=1000).map(|value| value * 1000).collect();
        let latency = latency(&[&values]).expect("values");
        let close = |key: &str, expected: f64| {
            let found = latency.percentiles[key];
            assert!(
                (found - expected).abs() <= expected * 1e-3,
                "{key}: {found}"
            );
        };
        close("p50", 500.0);
        close("p99", 990.0);
        assert_eq!(latency.percentiles["p100"], 1000.0);
        assert_eq!((latency.min, latency.max), (1.0, 1000.0));
        let [lower, upper] = latency.intervals["p95"];
        assert!(lower < 950.0 && 950.0 < upper, "{lower} {upper}");
    }

    /// A thousand seeded runs: the true 95th percentile is inside the interval as often as the confidence promises.
    #[test]
    fn the_true_p95_lies_within_its_interval_in_94_to_97_of_a_hundred_runs() {
        let mut state = 0_u64;
        let mut uniform = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        };
        // Exponential times with a mean of 100 ms, whose 95th percentile is 100 ms · ln 20.
        let truth = 100.0 * 20_f64.ln();
        let runs = 1_000;
        let covered = (0..runs).filter(|_| {
            let values: Vec<u32> = (0..1_000)
                .map(|_| (-100_000.0 * (1.0 - uniform()).ln()) as u32)
                .collect();
            let [lower, upper] = latency(&[&values]).expect("values").intervals["p95"];
            lower <= truth && truth <= upper
        });
        let percent = 100.0 * covered.count() as f64 / f64::from(runs);
        eprintln!("the true p95 is inside in {percent} % of {runs} runs");
        assert!((94.0..=97.0).contains(&percent), "{percent} %");
    }

    #[test]
    fn a_few_values_have_no_interval_and_none_have_nothing() {
        let latency_of = |values: &[u32]| latency(&[values]);
        let few = latency_of(&[5, 7]).expect("values");
        assert!(few.intervals.is_empty());
        assert_eq!(few.percentiles["p50"], 0.005);
        assert!(latency_of(&[]).is_none());
    }
}
