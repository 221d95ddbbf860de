//! Reduces a series to fewer points than seconds.

/// Seconds that are shown as one point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin<'a, T> {
    pub items: &'a [T],
}

/// At most `most` bins of equally many items each, the last may have fewer.
pub fn bins<T>(items: &[T], most: usize) -> impl Iterator<Item = Bin<'_, T>> {
    let size = items.len().div_ceil(most.max(1)).max(1);
    items.chunks(size).map(|items| Bin { items })
}

impl<T> Bin<'_, T> {
    /// The mean of the items with the figure; `None` if none has it.
    pub fn mean(&self, of: impl Fn(&T) -> Option<f64>) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0_u32);
        for value in self.items.iter().filter_map(of) {
            sum += value;
            count += 1;
        }
        (count > 0).then(|| sum / f64::from(count))
    }

    /// The maximum; percentiles are never averaged.
    pub fn largest(&self, of: impl Fn(&T) -> Option<f64>) -> Option<f64> {
        self.items.iter().filter_map(of).reduce(f64::max)
    }

    /// The sum of the items with the figure; `None` if none has it.
    pub fn sum(&self, of: impl Fn(&T) -> Option<f64>) -> Option<f64> {
        self.items.iter().filter_map(of).reduce(|a, b| a + b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_in_one_bin_and_peaks_stay() {
        let items: Vec<f64> = (0..1000).map(f64::from).collect();
        let all: Vec<Bin<f64>> = bins(&items, 360).collect();
        assert!(all.len() <= 360, "{}", all.len());
        assert_eq!(all.iter().map(|bin| bin.items.len()).sum::<usize>(), 1000);
        let top = all
            .iter()
            .filter_map(|bin| bin.largest(|x| Some(*x)))
            .reduce(f64::max);
        assert_eq!(top, Some(999.0));
        assert_eq!(all[0].mean(|x| Some(*x)), Some(1.0));
        assert_eq!(all[0].mean(|_| None), None);
        assert_eq!(bins::<f64>(&[], 10).count(), 0);
    }
}
