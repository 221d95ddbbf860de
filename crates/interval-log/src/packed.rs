//! A compact histogram.

use hdrhistogram::Histogram;

/// A histogram without its empty buckets: for a second with a hundred requests it takes 2 kB instead of 190.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    bounds: Bounds,
    /// The highest value of each bucket that is not empty, ascending, and its count.
    counts: Vec<(u64, u64)>,
}

/// The resolution of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bounds {
    low: u64,
    high: u64,
    digits: u8,
}

impl Packed {
    pub fn new(histogram: &Histogram<u64>) -> Self {
        let recorded = histogram.iter_recorded();
        let mut counts: Vec<(u64, u64)> = recorded
            .map(|step| (step.value_iterated_to(), step.count_at_value()))
            .collect();
        counts.shrink_to_fit();
        Self {
            bounds: Bounds::of(histogram),
            counts,
        }
    }

    pub fn unpack(&self) -> Histogram<u64> {
        let mut histogram = self.bounds.empty();
        self.put(&mut histogram);
        histogram
    }

    /// Adds counts. The sum has the finer resolution and the larger range of the two, independent of their
    /// order.
    pub fn add(&mut self, other: &Self) {
        if self.bounds == other.bounds {
            self.counts = merged(&self.counts, &other.counts);
        } else {
            let mut sum = self.unpack();
            other.add_to(&mut sum);
            *self = Self::new(&sum);
        }
    }

    /// Adds the counts to a histogram, whose resolution and range grow to those of this one.
    pub fn add_to(&self, histogram: &mut Histogram<u64>) {
        let known = Bounds::of(histogram);
        let wanted = known.with(self.bounds);
        if wanted != known {
            let before = Self::new(histogram);
            *histogram = wanted.empty();
            before.put(histogram);
        }
        self.put(histogram);
    }

    /// Counts each value in its bucket of the histogram.
    fn put(&self, histogram: &mut Histogram<u64>) {
        for (value, count) in &self.counts {
            let value = (*value).min(histogram.high());
            histogram
                .record_n(value, *count)
                .expect("it is within the bounds");
        }
    }
}

impl Bounds {
    fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            low: histogram.low(),
            high: histogram.high(),
            digits: histogram.sigfig(),
        }
    }

    fn with(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            digits: self.digits.max(other.digits),
        }
    }

    fn empty(self) -> Histogram<u64> {
        Histogram::new_with_bounds(self.low, self.high, self.digits)
            .expect("bounds of histograms, also together, are bounds")
    }
}

/// The counts of both, by value.
fn merged(a: &[(u64, u64)], b: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut sum = Vec::with_capacity(a.len().max(b.len()));
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let Some(next) = a
        .peek()
        .copied()
        .into_iter()
        .chain(b.peek().copied())
        .map(|(value, _)| *value)
        .min()
    {
        let mut count = 0;
        for side in [&mut a, &mut b] {
            count += side
                .next_if(|(value, _)| *value == next)
                .map_or(0, |(_, count)| *count);
        }
        sum.push((next, count));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[u64]) -> Histogram<u64> {
        let mut histogram = crate::histogram();
        values
            .iter()
            .for_each(|value| histogram.record(*value).expect("within the bounds"));
        histogram
    }

    #[test]
    fn a_histogram_is_the_same_after_it_was_packed() {
        for values in [
            &[][..],
            &[0],
            &[1, 1, 5, 2047, 2048, 2049, 99_999, 3_600_000_000],
        ] {
            let histogram = histogram(values);
            let unpacked = Packed::new(&histogram).unpack();
            assert_eq!(unpacked, histogram);
            assert_eq!(crate::encode(&unpacked), crate::encode(&histogram));
        }
    }

    #[test]
    fn sums_are_those_of_the_histograms() {
        let (a, b) = (
            histogram(&[1, 7, 5000, 5001]),
            histogram(&[7, 9, 1_000_000]),
        );
        let mut sum = a.clone();
        sum.add(&b).expect("they have the same bounds");
        let mut packed = Packed::new(&a);
        packed.add(&Packed::new(&b));
        assert_eq!(packed.unpack(), sum);
        let mut added = b.clone();
        Packed::new(&a).add_to(&mut added);
        assert_eq!(added, sum);
    }

    #[test]
    fn an_hour_of_seconds_takes_little_memory() {
        let values: Vec<u64> = (0..100).map(|at| 1000 + 37 * at).collect();
        let packed = Packed::new(&histogram(&values));
        assert!(
            packed.counts.capacity() <= 100,
            "{}",
            packed.counts.capacity()
        );
    }
}
