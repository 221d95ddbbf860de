//! The values of a trend: all of them, or counted in narrow buckets.
//!
//! k6 keeps exact values, which take eight bytes per sample. A bucketed trend takes the same space however
//! long a run is. A bucket is 1/1024 of its power of two wide, so that the error of a percentile is below
//! 0.05 %. Count, sum, minimum and maximum stay exact.

use std::collections::BTreeMap;

/// All values of a trend.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrendSink {
    values: Vec<f64>,
    /// The length of the sorted prefix of `values`.
    sorted: usize,
    sum: f64,
    buckets: Option<Buckets>,
}

/// Values by bucket.
#[derive(Debug, Clone, PartialEq)]
struct Buckets {
    counts: BTreeMap<i64, u64>,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

/// Up to this number of values, a digest stores all of them.
const MOST_EXACT: usize = 2_000;

/// The low bits of a number, which do not matter for its bucket: only ten bits of the fraction do.
const DROPPED_BITS: u32 = 42;

/// A distribution for another process: counts by bucket, whose sums are exact in any order.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendParts {
    /// Buckets with their counts, in ascending order.
    pub counts: Vec<(i64, u64)>,
    /// The sum of all values.
    pub sum: f64,
    pub min: f64,
    pub max: f64,
}

impl TrendSink {
    /// The distribution in buckets.
    pub fn into_parts(mut self) -> TrendParts {
        self.compact();
        let buckets = self.buckets.unwrap_or_else(Buckets::new);
        TrendParts {
            counts: buckets.counts.into_iter().collect(),
            sum: buckets.sum,
            min: buckets.min,
            max: buckets.max,
        }
    }

    /// The trend of a distribution from another process.
    pub fn from_parts(parts: TrendParts) -> Self {
        let mut buckets = Buckets::new();
        for (bucket, count) in parts.counts {
            *buckets.counts.entry(bucket).or_default() += count;
            buckets.count += count;
        }
        (buckets.sum, buckets.min, buckets.max) = (parts.sum, parts.min, parts.max);
        Self {
            buckets: Some(buckets),
            ..Self::default()
        }
    }

    /// Adds a value.
    #[inline]
    pub(crate) fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    pub(crate) fn merge(&mut self, mut other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        self.values.append(&mut other.values);
        if let Some(theirs) = other.buckets {
            self.compact();
            self.buckets.get_or_insert_with(Buckets::new).merge(theirs);
        }
    }

    /// Moves all values into buckets.
    pub fn compact(&mut self) {
        let buckets = self.buckets.get_or_insert_with(Buckets::new);
        self.values.iter().for_each(|value| buckets.add(*value));
        self.values = Vec::new();
        (self.sorted, self.sum) = (0, 0.0);
    }

    /// Sorts the values, as the methods below require. It is cheap when few values are new.
    pub fn sort(&mut self) {
        if self.buckets.is_some() {
            return self.compact();
        }
        if self.sorted == self.values.len() {
            return;
        }
        self.sum += self.values[self.sorted..].iter().sum::<f64>();
        sort_all(&mut self.values[self.sorted..]);
        // A stable sort detects the sorted prefix and merges the rest into it.
        if self.sorted > 0 {
            self.values.sort_by(f64::total_cmp);
        }
        self.sorted = self.values.len();
    }

    /// Whether it has no value.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Number of values.
    pub fn count(&self) -> usize {
        let bucketed = self.buckets.as_ref().map_or(0, |buckets| buckets.count);
        self.values.len() + usize::try_from(bucketed).unwrap_or(usize::MAX)
    }

    /// The percentile `p` (0 to 100) of the sorted values: linear interpolation at p/100·(n−1).
    pub fn percentile(&self, p: f64) -> f64 {
        debug_assert_eq!(self.sorted, self.values.len(), "sort before reading");
        let count = self.count();
        if count == 0 {
            return 0.0;
        }
        let at = p / 100.0 * (count - 1) as f64;
        let nth = |at: f64| match &self.buckets {
            Some(buckets) => buckets.nth(at as u64),
            None => self.values[at as usize],
        };
        let (low, high) = (nth(at.floor()), nth(at.ceil()));
        low + (high - low) * (at - at.floor())
    }

    /// The smallest value; 0 without values.
    pub fn min(&self) -> f64 {
        let bucketed = self.buckets.as_ref().filter(|buckets| buckets.count > 0);
        bucketed.map_or_else(
            || self.values.first().copied().unwrap_or(0.0),
            |buckets| buckets.min,
        )
    }

    /// The greatest value; 0 without values.
    pub fn max(&self) -> f64 {
        let bucketed = self.buckets.as_ref().filter(|buckets| buckets.count > 0);
        bucketed.map_or_else(
            || self.values.last().copied().unwrap_or(0.0),
            |buckets| buckets.max,
        )
    }

    /// The mean; 0 without values.
    pub fn average(&self) -> f64 {
        let sum = self
            .buckets
            .as_ref()
            .map_or(self.sum, |buckets| buckets.sum);
        match self.count() {
            0 => 0.0,
            count => sum / count as f64,
        }
    }
}

impl TrendSink {
    /// A compact form of the distribution: few values exactly, many by bucket. The values must be sorted.
    pub fn digest(&self) -> Self {
        debug_assert_eq!(self.sorted, self.values.len(), "sort before reading");
        if self.buckets.is_some() || self.values.len() <= MOST_EXACT {
            return self.clone();
        }
        let mut buckets = Buckets::new();
        for of_bucket in self.values.chunk_by(|a, b| bucket(*a) == bucket(*b)) {
            buckets
                .counts
                .insert(bucket(of_bucket[0]), of_bucket.len() as u64);
        }
        (buckets.count, buckets.sum) = (self.values.len() as u64, self.sum);
        (buckets.min, buckets.max) = (self.min(), self.max());
        Self {
            buckets: Some(buckets),
            ..Self::default()
        }
    }

    /// The value at rank `n`, counted from 0; `None` beyond the last one. The values must be sorted.
    pub fn nth(&self, n: u64) -> Option<f64> {
        debug_assert_eq!(self.sorted, self.values.len(), "sort before reading");
        match &self.buckets {
            Some(buckets) => (n < buckets.count).then(|| buckets.nth(n)),
            None => self.values.get(usize::try_from(n).ok()?).copied(),
        }
    }

    /// The standard deviation of the values about their mean; 0 without values.
    pub fn deviation(&self) -> f64 {
        let (count, mean) = (self.count(), self.average());
        if count == 0 {
            return 0.0;
        }
        let square = |value: f64| (value - mean).powi(2);
        let squares: f64 = match &self.buckets {
            Some(buckets) => {
                let each = buckets.counts.iter();
                each.map(|(bucket, count)| square(middle(*bucket)) * *count as f64)
                    .sum()
            }
            None => self.values.iter().map(|value| square(*value)).sum(),
        };
        (squares / count as f64).sqrt()
    }
}

/// Sorts values in the order of [`f64::total_cmp`]. Integers in the same order are compared instead, which is
/// much faster.
fn sort_all(values: &mut [f64]) {
    // Among negative values, the one with the greater magnitude is smaller. Applying this twice restores the value.
    let flip = |bits: i64| bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed();
    for value in values.iter_mut() {
        *value = f64::from_bits(flip(value.to_bits().cast_signed()).cast_unsigned());
    }
    values.sort_unstable_by_key(|value| value.to_bits().cast_signed());
    for value in values {
        *value = f64::from_bits(flip(value.to_bits().cast_signed()).cast_unsigned());
    }
}

impl Buckets {
    fn new() -> Self {
        Self {
            counts: BTreeMap::new(),
            count: 0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    fn add(&mut self, value: f64) {
        *self.counts.entry(bucket(value)).or_default() += 1;
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    fn merge(&mut self, other: Self) {
        for (bucket, count) in other.counts {
            *self.counts.entry(bucket).or_default() += count;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The value at rank `n` (from 0), to the precision of its bucket.
    fn nth(&self, n: u64) -> f64 {
        let mut before = 0;
        for (bucket, count) in &self.counts {
            before += count;
            if before > n {
                return middle(*bucket).clamp(self.min, self.max);
            }
        }
        self.max
    }
}

/// The bucket of a value. Greater values have greater buckets.
fn bucket(value: f64) -> i64 {
    let magnitude = (value.abs().to_bits() >> DROPPED_BITS).cast_signed();
    if value < 0.0 {
        -1 - magnitude
    } else {
        magnitude
    }
}

fn middle(bucket: i64) -> f64 {
    let magnitude = if bucket < 0 { -1 - bucket } else { bucket };
    if magnitude == 0 {
        return 0.0;
    }
    let low = magnitude.cast_unsigned() << DROPPED_BITS;
    let value = f64::from_bits(low + (1 << (DROPPED_BITS - 1)));
    if bucket < 0 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(values: impl Iterator<Item = f64>) -> (TrendSink, TrendSink) {
        let mut exact = TrendSink::default();
        values.for_each(|value| exact.push(value));
        let mut bucketed = exact.clone();
        bucketed.compact();
        exact.sort();
        bucketed.sort();
        (exact, bucketed)
    }

    #[test]
    fn buckets_are_near_the_exact_values_and_small() {
        // Values with a long tail over six orders of magnitude, from a fixed sequence.
        let tail = (0..200_000_u32).map(|n| {
            let unit = f64::from(n.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
            0.05 * 10_f64.powf(unit * 6.0)
        });
        let (exact, bucketed) = both(tail);
        for p in [0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0] {
            let (exact, near) = (exact.percentile(p), bucketed.percentile(p));
            assert!(
                (near / exact - 1.0).abs() < 0.0005,
                "p{p}: {near} for {exact}"
            );
        }
        assert_eq!(exact.count(), bucketed.count());
        assert_eq!((exact.min(), exact.max()), (bucketed.min(), bucketed.max()));
        assert!((exact.average() / bucketed.average() - 1.0).abs() < 1e-9);
        let size = bucketed.buckets.expect("it is compact").counts.len();
        assert!(size <= 21 * 1024, "{size} buckets");
    }

    #[test]
    fn all_numbers_are_put_in_their_order() {
        let mut values = vec![
            1.5,
            -0.0,
            f64::NAN,
            -f64::NAN,
            f64::NEG_INFINITY,
            0.0,
            -1e-310,
            f64::INFINITY,
            -7.0,
            1e300,
            -7.5,
        ];
        let mut expected = values.clone();
        expected.sort_by(f64::total_cmp);
        sort_all(&mut values);
        let bits = |values: &[f64]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&values), bits(&expected));
    }

    #[test]
    fn values_of_both_signs_stay_in_order() {
        let (exact, bucketed) = both([-5.0, 3.0, 0.0, -0.25, 7.0].into_iter());
        for p in [0.0, 25.0, 50.0, 75.0, 100.0] {
            let (exact, near) = (exact.percentile(p), bucketed.percentile(p));
            assert!(
                (exact - near).abs() <= 0.001 * exact.abs(),
                "{exact} {near}"
            );
        }
    }

    #[test]
    fn parts_of_several_processes_add_up_to_the_whole() {
        let values = |from: u32| (from..1000).step_by(3).map(f64::from);
        let (_, whole) = both((0..1000).map(f64::from));
        for order in [[0, 1, 2], [2, 0, 1]] {
            let mut merged = TrendSink::default();
            for from in order {
                let parts = both(values(from)).0.into_parts();
                merged.merge(TrendSink::from_parts(parts));
            }
            merged.sort();
            for p in [0.0, 50.0, 95.0, 99.9, 100.0] {
                let same = merged.percentile(p).to_bits() == whole.percentile(p).to_bits();
                assert!(
                    same,
                    "p{p}: {} {}",
                    merged.percentile(p),
                    whole.percentile(p)
                );
            }
            assert_eq!(merged.count(), whole.count());
        }
    }

    #[test]
    fn a_digest_is_small_and_near_the_values() {
        let (few, _) = both((0..100).map(f64::from));
        assert_eq!(few.digest(), few);
        assert_eq!((few.nth(7), few.nth(100)), (Some(7.0), None));
        let (many, bucketed) = both((0..100_000).map(|n| f64::from(n % 5000) / 7.0));
        let digest = many.digest();
        assert!(digest.values.is_empty());
        assert_eq!(
            digest.clone().into_parts().counts,
            bucketed.into_parts().counts
        );
        assert_eq!(digest.count(), many.count());
        assert_eq!(digest.nth(100_000), None);
        for n in [0, 1, 20_000, 99_999] {
            let (near, exact) = (digest.nth(n), many.nth(n));
            let (near, exact) = (near.expect("a value"), exact.expect("a value"));
            assert!((near - exact).abs() <= 0.0005 * exact, "{near} {exact}");
        }
        let off = digest.deviation() / many.deviation() - 1.0;
        assert!(off.abs() < 1e-4, "{off}");
        assert!((few.deviation() - 28.866).abs() < 1e-3);
    }

    #[test]
    fn merging_keeps_counts_whatever_the_form() {
        let (exact, bucketed) = both((0..100).map(f64::from));
        for (mut one, other) in [
            (exact.clone(), bucketed.clone()),
            (bucketed.clone(), exact.clone()),
            (TrendSink::default(), bucketed),
            (exact.clone(), exact),
        ] {
            let count = one.count() + other.count();
            one.merge(other);
            one.sort();
            assert_eq!(one.count(), count);
            assert_eq!((one.min(), one.max()), (0.0, 99.0));
            assert!((one.percentile(50.0) - 49.5).abs() < 0.6);
        }
    }
}
