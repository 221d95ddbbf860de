//! The distance between two samples: the Hodges-Lehmann shift.

use crate::distribution::normal_quantile;
use crate::input::{self, InputError};
use crate::interval::Interval;
use crate::mann_whitney::{EXACT_UP_TO, untied_counts};
use crate::sorted::Sorted;

/// A shift in the samples' unit; positive when `b` is larger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The median of all differences b - a.
    pub estimate: f64,
    /// Infinite when there are too few values for the confidence.
    pub interval: Interval,
}

/// The shift from `a` to `b` with the interval that corresponds to the Mann-Whitney test.
///
/// Sources: Hodges and Lehmann (1963); the interval is Moses' (Hollander, Wolfe and Chicken,
/// "Nonparametric Statistical Methods", 4.3): exact up to 50 values on each side, normal above.
/// The memory is proportional to the samples, not to the number of pairs.
///
/// # Errors
/// `Empty`, `NotFinite`, `OutOfRange` for the confidence.
pub fn hodges_lehmann(a: &[f64], b: &[f64], confidence: f64) -> Result<Shift, InputError> {
    let a = Sorted::named("the first sample", a)?;
    let b = Sorted::named("the second sample", b)?;
    input::open_unit("the confidence", confidence)?;
    Ok(shift_sorted(&a, &b, confidence))
}

pub(crate) fn shift_sorted(a: &Sorted, b: &Sorted, confidence: f64) -> Shift {
    let pairs = a.len() as u64 * b.len() as u64;
    let middle = pairs / 2;
    let estimate = if pairs % 2 == 1 {
        nth_difference(a, b, middle + 1)
    } else {
        f64::midpoint(
            nth_difference(a, b, middle),
            nth_difference(a, b, middle + 1),
        )
    };
    let interval = match outer_rank(a.len(), b.len(), (1.0 - confidence) / 2.0) {
        None => Interval::unbounded(confidence),
        Some(rank) => Interval {
            lower: nth_difference(a, b, rank),
            upper: nth_difference(a, b, pairs + 1 - rank),
            confidence,
        },
    };
    Shift { estimate, interval }
}

/// The rank, from either end, of the difference that bounds the interval: the largest one with
/// P(U < rank) at most `tail`.
fn outer_rank(m: usize, n: usize, tail: f64) -> Option<u64> {
    if m <= EXACT_UP_TO && n <= EXACT_UP_TO {
        let counts = untied_counts(m, n);
        let total = counts.iter().sum::<u128>() as f64;
        let mut below = 0.0;
        let rank = counts
            .iter()
            .take_while(|count| {
                below += **count as f64 / total;
                below <= tail
            })
            .count();
        return (rank > 0).then_some(rank as u64);
    }
    let (m, n) = (m as f64, n as f64);
    let deviation = (m * n * (m + n + 1.0) / 12.0).sqrt();
    let rank = (m * n / 2.0 + normal_quantile(tail) * deviation).floor();
    (rank >= 1.0).then_some(rank as u64)
}

/// The k-th smallest of all differences b - a, k from 1, by bisection over the floats: 64 passes over
/// both samples.
fn nth_difference(a: &Sorted, b: &Sorted, k: u64) -> f64 {
    let (mut low, mut high) = (ordered(f64::NEG_INFINITY), ordered(f64::INFINITY));
    while low < high {
        let middle = low + ((i128::from(high) - i128::from(low)) / 2) as i64;
        if differences_up_to(a, b, from_ordered(middle)) >= k {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    // A difference of zero is 0 and never -0.
    from_ordered(low) + 0.0
}

fn differences_up_to(a: &Sorted, b: &Sorted, limit: f64) -> u64 {
    let (a, b) = (a.values(), b.values());
    let mut first = 0;
    let mut count = 0;
    for larger in b {
        while first < a.len() && larger - a[first] > limit {
            first += 1;
        }
        count += (a.len() - first) as u64;
    }
    count
}

/// Integers in the order of the floats; -0 comes just before 0.
fn ordered(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    bits ^ (((bits >> 63).cast_unsigned() >> 1).cast_signed())
}

fn from_ordered(bits: i64) -> f64 {
    let bits = bits ^ (((bits >> 63).cast_unsigned() >> 1).cast_signed());
    f64::from_bits(bits.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_found_at_its_rank() {
        let a = Sorted::new(&[1.0, -4.0, 2.5, 2.5, 9.0]).expect("finite values");
        let b = Sorted::new(&[0.0, 3.0, 3.0, -7.25]).expect("finite values");
        let mut all: Vec<f64> = b
            .values()
            .iter()
            .flat_map(|y| a.values().iter().map(move |x| y - x))
            .collect();
        all.sort_by(f64::total_cmp);
        for (rank, expected) in (1..).zip(all) {
            assert_eq!(nth_difference(&a, &b, rank), expected, "rank {rank}");
        }
    }

    #[test]
    fn three_values_a_side_bound_nothing() {
        let shift = hodges_lehmann(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 0.95).expect("valid");
        assert_eq!(shift.estimate, 3.0);
        assert!(!shift.interval.is_bounded());
    }
}
