//! Trend of a series: the Theil-Sen slope and the Mann-Kendall test.

use crate::distribution::{normal_cdf, normal_quantile};
use crate::input::{self, InputError, series};
use crate::interval::Interval;
use crate::sorted::Sorted;

/// The slopes of all pairs are computed; longer series are first reduced to medians of neighbouring values.
const MOST_POINTS: usize = 1000;
/// The factor of neighbours with a correlation of 0.9. A nonlinear trend leaves residuals that also look
/// correlated; without a limit an accelerating leak would never be significant.
const LARGEST_FACTOR: f64 = 19.0;
/// With fewer points the test's normal approximation does not hold.
const FEWEST_POINTS: usize = 8;

/// A trend. The slope is in the values' unit per unit of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Theil and Sen: the median of the slopes of all pairs.
    pub slope: f64,
    pub interval: Interval,
    /// The value at time 0 of the line through the medians.
    pub intercept: f64,
    /// Mann and Kendall's two-sided p value: the probability of this much order without a trend.
    pub p_value: f64,
    /// The ratio of the test's variance to that of independent values.
    pub autocorrelation_factor: f64,
    /// Points the trend was computed from, after folding.
    pub points: usize,
}

impl Trend {
    pub fn at(&self, time: f64) -> f64 {
        self.intercept + self.slope * time
    }
}

/// The trend of values at ascending times; equal times are allowed.
///
/// Sources: Theil (1950); Sen (1968) for slope and interval; Mann (1945) and Kendall (1975) for the test;
/// Hamed and Rao, "A modified Mann-Kendall trend test for autocorrelated data" (1998), for the
/// variance, here never below that of independent values. Neighbours that correlate by more than 0.9 are too
/// close together: thin the series before.
///
/// # Errors
/// `NotPaired`, `NotFinite`, `TooFew` below eight points, `OutOfRange` for times that fall, `Constant`
/// when all times are equal.
pub fn trend(times: &[f64], values: &[f64], confidence: f64) -> Result<Trend, InputError> {
    input::open_unit("the confidence", confidence)?;
    input::paired(
        series("the times", times),
        series("the values", values),
        FEWEST_POINTS,
    )?;
    check_times(times)?;
    let (times, values) = folded(times, values);
    let mut slopes = slopes(&times, &values);
    let slope = median_of_many(&mut slopes);
    let residuals: Vec<f64> = times
        .iter()
        .zip(&values)
        .map(|(t, x)| x - slope * t)
        .collect();
    let intercept = Sorted::named("the residuals", &residuals)?.median();

    let factor = autocorrelation_factor(&residuals);
    let deviation = (variance(&values) * factor).sqrt();
    let s = concordance(&values);
    let p_value = if deviation > 0.0 {
        2.0 * normal_cdf(-(s.abs() - 1.0).max(0.0) / deviation)
    } else {
        1.0
    };
    Ok(Trend {
        slope,
        interval: slope_interval(&mut slopes, deviation, confidence),
        intercept,
        p_value: p_value.min(1.0),
        autocorrelation_factor: factor,
        points: times.len(),
    })
}

fn check_times(times: &[f64]) -> Result<(), InputError> {
    if let Some(pair) = times.windows(2).find(|pair| pair[1] < pair[0]) {
        return Err(InputError::OutOfRange {
            what: "a time",
            value: pair[1],
            expected: "not before the previous one",
        });
    }
    if times[0] == times[times.len() - 1] {
        return Err(InputError::Constant {
            what: "the times",
            value: times[0],
        });
    }
    Ok(())
}

fn folded(times: &[f64], values: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let together = times.len().div_ceil(MOST_POINTS);
    let fold = |series: &[f64]| -> Vec<f64> {
        series
            .chunks(together)
            .map(|chunk| median(&mut chunk.to_vec()))
            .collect()
    };
    (fold(times), fold(values))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

fn slopes(times: &[f64], values: &[f64]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(times.len() * (times.len() - 1) / 2);
    for i in 0..times.len() {
        for j in i + 1..times.len() {
            let elapsed = times[j] - times[i];
            if elapsed > 0.0 {
                slopes.push((values[j] - values[i]) / elapsed);
            }
        }
    }
    slopes
}

/// Sen's ranks, around the middle by z standard deviations of the test's statistic.
fn slope_interval(slopes: &mut [f64], deviation: f64, confidence: f64) -> Interval {
    let z = normal_quantile(1.0 - (1.0 - confidence) / 2.0);
    let count = slopes.len() as f64;
    let reach = z * deviation;
    let lower = ((count - reach) / 2.0).floor();
    let upper = ((count + reach) / 2.0).ceil() + 1.0;
    let mut value = |rank: f64, beyond: f64| {
        if rank < 1.0 || rank > count {
            beyond
        } else {
            nth(slopes, rank as usize - 1)
        }
    };
    Interval {
        lower: value(lower, f64::NEG_INFINITY),
        upper: value(upper, f64::INFINITY),
        confidence,
    }
}

/// Half a million slopes are too many to sort for three of them.
fn median_of_many(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    let upper = nth(values, middle);
    if values.len() % 2 == 1 {
        upper
    } else {
        f64::midpoint(nth(values, middle - 1), upper)
    }
}

/// The value at this index of the sorted sequence.
fn nth(values: &mut [f64], index: usize) -> f64 {
    *values.select_nth_unstable_by(index, f64::total_cmp).1
}

/// Kendall's S: pairs that rise minus pairs that fall.
fn concordance(values: &[f64]) -> f64 {
    let mut s = 0i64;
    for (i, earlier) in values.iter().enumerate() {
        for later in &values[i + 1..] {
            s += i64::from(later > earlier) - i64::from(later < earlier);
        }
    }
    s as f64
}

/// The variance of S for independent values, corrected for ties.
fn variance(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let part = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let ties: f64 = sorted
        .chunk_by(|a, b| a == b)
        .map(|tied| part(tied.len() as f64))
        .sum();
    (part(values.len() as f64) - ties) / 18.0
}

/// Hamed and Rao's factor from the ranks of the residuals: lags that are significant at 95 %, up to a
/// quarter of the series. Where neighbours correlate it is at least that of a first-order process,
/// because the estimated lags of a detrended series are too small.
fn autocorrelation_factor(residuals: &[f64]) -> f64 {
    let correlations = rank_correlations(residuals);
    let n = residuals.len() as f64;
    let significant = 1.96 / n.sqrt();
    let sum: f64 = (1u32..)
        .zip(&correlations)
        .filter(|(_, correlation)| correlation.abs() > significant)
        .map(|(lag, correlation)| {
            let rest = n - f64::from(lag);
            rest * (rest - 1.0) * (rest - 2.0) * correlation
        })
        .sum();
    let by_lags = 1.0 + 2.0 * sum / (n * (n - 1.0) * (n - 2.0));
    let next = correlations.first().copied().unwrap_or(0.0);
    let first_order = if next > significant {
        // The bias of a lag after a line was taken out: -(2 + 4ρ) / n (Marriott and Pope 1954).
        let next = (next + (2.0 + 4.0 * next) / n).min(0.99);
        (1.0 + next) / (1.0 - next)
    } else {
        1.0
    };
    by_lags.max(first_order).clamp(1.0, LARGEST_FACTOR)
}

/// The autocorrelation of the ranks at each lag from 1 to a quarter of the series.
fn rank_correlations(residuals: &[f64]) -> Vec<f64> {
    let ranks = ranks(residuals);
    let mean = ranks.iter().sum::<f64>() / ranks.len() as f64;
    let total: f64 = ranks.iter().map(|r| (r - mean).powi(2)).sum();
    if total == 0.0 {
        return Vec::new();
    }
    (1..=ranks.len() / 4)
        .map(|lag| {
            let pairs = ranks.iter().zip(&ranks[lag..]);
            pairs.map(|(r, s)| (r - mean) * (s - mean)).sum::<f64>() / total
        })
        .collect()
}

/// Mid-ranks from 1.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let middle = below as f64 + (tied.len() as f64 + 1.0) / 2.0;
        for index in tied {
            ranks[*index] = middle;
        }
        below += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(count: u32) -> Vec<f64> {
        (0..count).map(f64::from).collect()
    }

    #[test]
    fn a_straight_line_is_found_exactly() {
        let times = times(20);
        let values: Vec<f64> = times.iter().map(|t| 3.0 + 2.0 * t).collect();
        let found = trend(&times, &values, 0.95).expect("valid input");
        assert!((found.slope - 2.0).abs() < 1e-12 && (found.at(0.0) - 3.0).abs() < 1e-9);
        assert!(found.p_value < 1e-6, "{found:?}");
    }

    #[test]
    fn a_constant_series_has_no_trend() {
        let found = trend(&times(20), &[7.0; 20], 0.95).expect("valid input");
        assert_eq!((found.slope, found.p_value), (0.0, 1.0));
        assert_eq!((found.interval.lower, found.interval.upper), (0.0, 0.0));
    }

    #[test]
    fn a_third_of_wild_values_does_not_move_the_slope_far() {
        let times = times(30);
        let values: Vec<f64> = times
            .iter()
            .map(|t| if t % 4.0 == 0.0 { 1e6 } else { 2.0 * t })
            .collect();
        let found = trend(&times, &values, 0.95).expect("valid input");
        assert!((found.slope - 2.0).abs() < 0.5, "{found:?}");
    }

    #[test]
    fn times_that_fall_are_refused() {
        let mut falling = times(10);
        falling.swap(3, 4);
        assert!(matches!(
            trend(&falling, &[0.0; 10], 0.95),
            Err(InputError::OutOfRange { what: "a time", .. })
        ));
        assert!(matches!(
            trend(&[5.0; 10], &[0.0; 10], 0.95),
            Err(InputError::Constant { .. })
        ));
    }

    #[test]
    fn a_long_series_is_folded() {
        let times = times(100_000);
        let values: Vec<f64> = times.iter().map(|t| t * 0.5).collect();
        let found = trend(&times, &values, 0.95).expect("valid input");
        assert_eq!(found.points, 1000);
        assert!((found.slope - 0.5).abs() < 1e-9);
    }
}
