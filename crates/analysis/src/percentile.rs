//! Percentiles by named definitions.
//!
//! A request that timed out took at least the length of its time-out. Use that as its value and do not
//! leave it out: a percentile of only the fast requests is wrong.

use crate::input::{self, InputError};
use crate::sorted::Sorted;

/// The definition of a sample quantile. Outputs have to name the one that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Definition {
    /// The smallest value with at least q·n values at or below it (type 1 of Hyndman and Fan
    /// 1996). Always a measured value; what histograms give.
    Rank,
    /// Interpolation at rank q·(n + 1), type 6: NIST's recommendation, Minitab, SPSS.
    Type6,
    /// Interpolation at rank 1 + q·(n - 1), type 7: R, numpy, k6, spreadsheets.
    #[default]
    Type7,
}

impl Definition {
    /// The name for outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rank => "rank (Hyndman-Fan type 1)",
            Self::Type6 => "interpolated at q(n+1) (Hyndman-Fan type 6)",
            Self::Type7 => "interpolated at 1+q(n-1) (Hyndman-Fan type 7)",
        }
    }
}

/// The `q` quantile, `q` in 0..=1 (0.95 for the 95th percentile), in the sample's unit.
/// Never below the smallest or above the largest value.
///
/// Source: Hyndman and Fan, "Sample quantiles in statistical packages" (1996).
///
/// # Errors
/// `OutOfRange` for a `q` outside 0..=1.
pub fn quantile(sample: &Sorted, q: f64, definition: Definition) -> Result<f64, InputError> {
    input::holds("the quantile", q, (0.0..=1.0).contains(&q), "within 0 to 1")?;
    let n = sample.len() as f64;
    let position = match definition {
        Definition::Rank => return Ok(sample.rank(smallest_rank(q, n))),
        Definition::Type6 => q * (n + 1.0),
        Definition::Type7 => 1.0 + q * (n - 1.0),
    };
    let position = position.clamp(1.0, n);
    let below = position.floor();
    let (low, high) = (sample.rank(below as usize), sample.rank(below as usize + 1));
    let share = position - below;
    // Not low + share * (high - low): the difference may overflow, and equal ends stay equal.
    let value = if share == 0.0 || low == high {
        low
    } else {
        low * (1.0 - share) + high * share
    };
    Ok(value.clamp(low, high.max(low)))
}

/// The smallest rank at or above q·n, tolerating rounding errors: 0.07 · 100 is 7.000…01 as a float.
fn smallest_rank(q: f64, n: f64) -> usize {
    let exact = q * n;
    let rounded = exact.round();
    if (exact - rounded).abs() <= 1e-12 * n {
        rounded as usize
    } else {
        exact.ceil() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], q: f64, definition: Definition, expected: f64) {
        let sample = Sorted::new(values).expect("finite values");
        let found = quantile(&sample, q, definition).expect("a quantile within 0 to 1");
        assert!(
            (found - expected).abs() < 1e-9,
            "{q} of {values:?} by {}: {found}, not {expected}",
            definition.name()
        );
    }

    #[test]
    fn one_value_is_every_percentile() {
        for definition in [Definition::Rank, Definition::Type6, Definition::Type7] {
            for q in [0.0, 0.5, 0.99, 1.0] {
                check(&[7.0], q, definition, 7.0);
            }
        }
    }

    #[test]
    fn a_rank_percentile_is_a_measured_value() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        check(&hundred, 0.07, Definition::Rank, 7.0);
        check(&hundred, 0.95, Definition::Rank, 95.0);
        check(&hundred, 0.951, Definition::Rank, 96.0);
        check(&hundred, 0.0, Definition::Rank, 1.0);
        check(&hundred, 1.0, Definition::Rank, 100.0);
    }

    #[test]
    fn the_definitions_differ_on_small_samples() {
        let four = [10.0, 20.0, 30.0, 40.0];
        check(&four, 0.25, Definition::Rank, 10.0);
        check(&four, 0.25, Definition::Type6, 12.5);
        check(&four, 0.25, Definition::Type7, 17.5);
    }

    #[test]
    fn a_quantile_above_one_is_refused() {
        let sample = Sorted::new(&[1.0]).expect("finite values");
        let refused = quantile(&sample, 95.0, Definition::Type7).expect_err("95 is not a quantile");
        assert_eq!(
            refused.to_string(),
            "the quantile is 95; it must be within 0 to 1"
        );
    }
}
