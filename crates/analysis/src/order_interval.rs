//! Intervals of quantiles from order statistics: no assumption about the distribution.
//!
//! The number of values below the true quantile is binomial, so two ranks enclose the quantile with
//! a probability that is known exactly (David and Nagaraja, "Order Statistics", 7.1). Both tails
//! get half of the error, so an interval judges a limit from either side.

use crate::distribution::{binomial_at_least, binomial_at_most};
use crate::input::{self, InputError};
use crate::interval::Interval;
use crate::sorted::Sorted;

/// Ranks, counted from 1, whose values enclose the quantile. For histograms: look up both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankInterval {
    /// `None`: the sample is too small to bound the quantile from below.
    pub lower: Option<u64>,
    /// `None`: the sample is too small to bound the quantile from above.
    pub upper: Option<u64>,
    /// The exact probability of enclosing the quantile of a continuous distribution.
    pub coverage: f64,
}

/// The ranks whose values enclose the `q` quantile of `n` independent values with at least
/// `confidence`. For autocorrelated values give the effective sample size as `n` and scale the
/// ranks back.
///
/// # Errors
/// `OutOfRange` unless `q` and `confidence` are strictly between 0 and 1.
pub fn rank_interval(n: u64, q: f64, confidence: f64) -> Result<RankInterval, InputError> {
    input::open_unit("the quantile", q)?;
    input::open_unit("the confidence", confidence)?;
    let tail = (1.0 - confidence) / 2.0;
    // X_(l) lies above the quantile when fewer than l values are below it.
    let lower = largest(n, |rank| binomial_at_most(n, q, rank - 1) <= tail);
    // X_(u) lies below the quantile when at least u values are below it.
    let below_upper = largest(n, |rank| binomial_at_least(n, q, rank) > tail);
    let upper = Some(below_upper.unwrap_or(0) + 1).filter(|rank| *rank <= n);
    let missed_below = lower.map_or(0.0, |rank| binomial_at_most(n, q, rank - 1));
    let missed_above = upper.map_or(0.0, |rank| binomial_at_least(n, q, rank));
    Ok(RankInterval {
        lower,
        upper,
        coverage: 1.0 - missed_below - missed_above,
    })
}

/// The interval of the `q` quantile of the distribution behind a sample of independent values, in
/// its unit. An end that the sample is too small for is infinite.
///
/// # Errors
/// As [`rank_interval`].
pub fn quantile_interval(sample: &Sorted, q: f64, confidence: f64) -> Result<Interval, InputError> {
    let ranks = rank_interval(sample.len() as u64, q, confidence)?;
    let value = |rank: Option<u64>, missing| rank.map_or(missing, |r| sample.rank(r as usize));
    Ok(Interval {
        lower: value(ranks.lower, f64::NEG_INFINITY),
        upper: value(ranks.upper, f64::INFINITY),
        confidence,
    })
}

/// The smallest number of independent values that bounds the `q` quantile from both sides: 6 for a
/// median and 368 for a 99th percentile at 95 %. The first is benchstat's, too.
///
/// # Errors
/// As [`rank_interval`].
pub fn smallest_sample(q: f64, confidence: f64) -> Result<u64, InputError> {
    input::open_unit("the quantile", q)?;
    input::open_unit("the confidence", confidence)?;
    let tail = (1.0 - confidence) / 2.0;
    // All n values below the quantile: q^n; none: (1 - q)^n.
    let needed = |share: f64| (tail.ln() / share.ln() * (1.0 - 1e-12)).ceil();
    Ok(needed(q).max(needed(1.0 - q)).max(2.0) as u64)
}

/// The largest rank in 1..=n that holds; `holds` is true up to some rank and false after it.
fn largest(n: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut known, mut excluded) = (0, n + 1);
    while excluded - known > 1 {
        let middle = known + (excluded - known) / 2;
        if holds(middle) {
            known = middle;
        } else {
            excluded = middle;
        }
    }
    (known > 0).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_p99_needs_368_values_and_a_median_six() {
        let check = |q, confidence, expected| {
            assert_eq!(
                smallest_sample(q, confidence),
                Ok(expected),
                "{q} {confidence}"
            );
            let enough = rank_interval(expected, q, confidence).expect("valid input");
            assert!(enough.lower.is_some() && enough.upper.is_some());
            let short = rank_interval(expected - 1, q, confidence).expect("valid input");
            assert!(short.lower.is_none() || short.upper.is_none());
        };
        check(0.99, 0.95, 368);
        check(0.95, 0.95, 72);
        check(0.5, 0.95, 6);
        check(0.5, 0.99, 8);
        check(0.999, 0.95, 3688);
    }

    #[test]
    fn the_coverage_is_at_least_what_was_asked_for() {
        for n in [6, 10, 100, 999, 100_000, 10_000_000] {
            for q in [0.05, 0.5, 0.9, 0.95, 0.999] {
                let ranks = rank_interval(n, q, 0.95).expect("valid input");
                assert!(ranks.coverage >= 0.95, "n={n} q={q}: {ranks:?}");
            }
        }
    }

    #[test]
    fn a_hundred_values_bound_the_median_by_ranks_40_and_61() {
        // Conover, "Practical Nonparametric Statistics", table A3: b(100, 0.5).
        let ranks = rank_interval(100, 0.5, 0.95).expect("valid input");
        assert_eq!((ranks.lower, ranks.upper), (Some(40), Some(61)));
        assert!((ranks.coverage - 0.9648).abs() < 1e-4);
    }
}
