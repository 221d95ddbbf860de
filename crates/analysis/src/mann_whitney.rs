//! The Mann-Whitney U test: whether two samples come from one distribution.

use crate::distribution::normal_cdf;
use crate::input::InputError;
use crate::sorted::Sorted;

/// Up to this many values on each side the p value is exact, as in R.
pub const EXACT_UP_TO: usize = 50;

/// The result of a two-sided test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UTest {
    /// Number of pairs in which the value of `b` is larger; equal ones count half.
    pub u: f64,
    /// The probability of a U at least as far from the middle if the distributions are equal.
    pub p_value: f64,
    pub method: Method,
    /// U / (n·m): the probability that a value of `b` is the larger one; 0.5 is no effect.
    pub superiority: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Every arrangement of the values, ties included, was counted.
    Exact,
    /// Normal approximation with corrections for ties and continuity.
    Normal,
}

/// Tests `a` against `b`, two-sided.
///
/// Sources: Mann and Whitney (1947); ties as in Klotz, "The Wilcoxon, ties, and the computer" (1966):
/// the distribution conditional on the tied groups. The approximation is R's `wilcox.test`.
/// When all values are equal the p value is 1.
///
/// # Errors
/// `Empty`, `NotFinite`.
pub fn u_test(a: &[f64], b: &[f64]) -> Result<UTest, InputError> {
    let a = Sorted::named("the first sample", a)?;
    let b = Sorted::named("the second sample", b)?;
    Ok(u_test_sorted(&a, &b))
}

/// The smallest number of values on each side that can be significant at `alpha`: 4 at 0.05, 5 at 0.01;
/// fewer cannot, whatever their values.
///
/// # Errors
/// `OutOfRange` unless `alpha` is strictly between 0 and 1.
pub fn smallest_side(alpha: f64) -> Result<usize, InputError> {
    crate::input::open_unit("the level", alpha)?;
    // The most extreme arrangement is one of C(2n, n), on either side.
    let mut p = 1.0;
    let mut n = 1;
    while p > alpha {
        n += 1;
        p = p * n as f64 / (4 * n - 2) as f64;
    }
    Ok(n)
}

pub(crate) fn u_test_sorted(a: &Sorted, b: &Sorted) -> UTest {
    let (m, n) = (a.len(), b.len());
    let groups = tied_groups(a, b);
    let doubled: u64 = doubled_u(&groups);
    let pairs = m as f64 * n as f64;
    let u = doubled as f64 / 2.0;
    let (p_value, method) = if m <= EXACT_UP_TO && n <= EXACT_UP_TO {
        (exact(&groups, doubled, m, n), Method::Exact)
    } else {
        (approximate(&groups, u, m, n), Method::Normal)
    };
    UTest {
        u,
        p_value,
        method,
        superiority: u / pairs,
    }
}

/// The number of values of each sample that are equal, in ascending order of the value.
#[derive(Debug, Clone, Copy)]
struct Group {
    in_a: u64,
    in_b: u64,
}

impl Group {
    fn size(self) -> u64 {
        self.in_a + self.in_b
    }
}

fn tied_groups(a: &Sorted, b: &Sorted) -> Vec<Group> {
    let (mut rest_a, mut rest_b) = (a.values(), b.values());
    let mut groups = Vec::new();
    while let Some(value) = smaller_head(rest_a, rest_b) {
        let in_a = rest_a.partition_point(|x| *x <= value);
        let in_b = rest_b.partition_point(|x| *x <= value);
        (rest_a, rest_b) = (&rest_a[in_a..], &rest_b[in_b..]);
        groups.push(Group {
            in_a: in_a as u64,
            in_b: in_b as u64,
        });
    }
    groups
}

fn smaller_head(a: &[f64], b: &[f64]) -> Option<f64> {
    match (a.first(), b.first()) {
        (Some(x), Some(y)) => Some(x.min(*y)),
        (x, y) => x.or(y).copied(),
    }
}

/// Twice U, a whole number.
fn doubled_u(groups: &[Group]) -> u64 {
    let mut a_below = 0;
    let mut doubled = 0;
    for group in groups {
        doubled += group.in_b * (2 * a_below + group.in_a);
        a_below += group.in_a;
    }
    doubled
}

fn exact(groups: &[Group], doubled: u64, m: usize, n: usize) -> f64 {
    let counts = if groups.iter().all(|group| group.size() == 1) {
        // Without ties only even values of 2U occur.
        let mut spread = vec![0; 2 * m * n + 1];
        for (u, count) in untied_counts(m, n).into_iter().enumerate() {
            spread[2 * u] = count;
        }
        spread
    } else {
        tied_counts(groups, n)
    };
    let at = doubled as usize;
    let total: u128 = counts.iter().sum();
    let up_to: u128 = counts[..=at].iter().sum();
    let from: u128 = counts[at..].iter().sum();
    (2.0 * up_to.min(from) as f64 / total as f64).min(1.0)
}

/// The number of arrangements of m and n distinct values with each U: the coefficients of the Gaussian
/// binomial, multiplied factor by factor. C(100, 50) fits 128 bits.
pub(crate) fn untied_counts(m: usize, n: usize) -> Vec<u128> {
    let mut counts = vec![0u128; m * n + 1];
    counts[0] = 1;
    for i in 1..=m {
        // Times (1 - x^(n+i)), from above so that the old values are still there.
        for u in (n + i..counts.len()).rev() {
            counts[u] = counts[u].wrapping_sub(counts[u - n - i]);
        }
        // Divided by (1 - x^i).
        for u in i..counts.len() {
            counts[u] = counts[u].wrapping_add(counts[u - i]);
        }
    }
    counts
}

/// The same for 2U with tied groups: for each number of values given to `b` so far, how many choices
/// lead to each 2U.
fn tied_counts(groups: &[Group], n: usize) -> Vec<u128> {
    let total: u64 = groups.iter().map(|group| group.size()).sum();
    let width = 2 * n * (total as usize - n) + 1;
    let mut ways = vec![vec![0u128; 0]; n + 1];
    ways[0] = vec![1];
    let mut below = 0usize;
    for group in groups {
        let size = group.size() as usize;
        let mut next: Vec<Vec<u128>> = vec![Vec::new(); n + 1];
        for (taken, counts) in ways.iter().enumerate() {
            if counts.is_empty() {
                continue;
            }
            let in_a_below = below - taken;
            for take in 0..=size.min(n - taken) {
                let gain = take * (2 * in_a_below + size - take);
                if gain + 1 > width {
                    continue;
                }
                let factor = choose(size, take);
                let target = &mut next[taken + take];
                let length = (counts.len() + gain).min(width).max(target.len());
                target.resize(length, 0);
                for (sum, count) in target[gain..].iter_mut().zip(counts) {
                    *sum += factor * count;
                }
            }
        }
        ways = next;
        below += size;
    }
    let mut counts = ways.swap_remove(n);
    counts.resize(width, 0);
    counts
}

fn choose(n: usize, k: usize) -> u128 {
    (0..k as u128).fold(1, |product, i| product * (n as u128 - i) / (i + 1))
}

fn approximate(groups: &[Group], u: f64, m: usize, n: usize) -> f64 {
    let (m, n) = (m as f64, n as f64);
    let total = m + n;
    let ties: f64 = groups
        .iter()
        .map(|group| group.size() as f64)
        .map(|size| size * size * size - size)
        .sum();
    let variance = m * n / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let distance = ((u - m * n / 2.0).abs() - 0.5).max(0.0);
    (2.0 * normal_cdf(-distance / variance.sqrt())).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &[f64], b: &[f64], expected: f64) {
        let found = u_test(a, b).expect("finite values").p_value;
        assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
        let swapped = u_test(b, a).expect("finite values").p_value;
        assert!((swapped - expected).abs() < 1e-12, "swapped: {swapped}");
    }

    #[test]
    fn few_values_cannot_be_significant() {
        assert_eq!(smallest_side(0.05), Ok(4));
        assert_eq!(smallest_side(0.01), Ok(5));
        check(&[-1.0; 3], &[1.0; 3], 0.1);
    }

    #[test]
    fn equal_values_do_not_differ() {
        check(&[1.0; 4], &[1.0; 4], 1.0);
        let many = [1.0; 60];
        check(&many, &many, 1.0);
    }

    #[test]
    fn tied_and_untied_counting_agree_where_nothing_is_tied() {
        let groups: Vec<Group> = (0..9)
            .map(|i| Group {
                in_a: i % 2,
                in_b: 1 - i % 2,
            })
            .collect();
        let tied = tied_counts(&groups, 5);
        let untied = untied_counts(4, 5);
        assert!(tied.iter().step_by(2).eq(&untied));
        assert!(tied.iter().skip(1).step_by(2).all(|count| *count == 0));
        assert_eq!(untied.iter().sum::<u128>(), choose(9, 5));
    }

    #[test]
    fn the_largest_exact_distribution_sums_to_all_arrangements() {
        let counts = untied_counts(50, 50);
        assert_eq!(counts.iter().sum::<u128>(), choose(100, 50));
        assert!(counts.iter().eq(counts.iter().rev()));
    }
}
