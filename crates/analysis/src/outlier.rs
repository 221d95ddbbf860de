//! Outliers, which are reported and never removed silently.

use crate::input::{self, InputError};
use crate::percentile::{Definition, quantile};
use crate::sorted::Sorted;

/// The factor that makes the median absolute deviation of normal values equal to their standard deviation:
/// 1 / Φ⁻¹(3/4).
const NORMAL_CONSISTENCY: f64 = 1.482_602_218_505_602;

/// The range beyond which a value is an outlier, in the sample's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fences {
    pub lower: f64,
    pub upper: f64,
}

impl Fences {
    /// The indices of values beyond the fences, in the order given.
    pub fn outliers(&self, values: &[f64]) -> Vec<usize> {
        (0..values.len())
            .filter(|i| values[*i] < self.lower || values[*i] > self.upper)
            .collect()
    }
}

/// Median ± `factor` · 1.4826 · MAD. Valid with up to half of the values being outliers. Source: Iglewicz and
/// Hoaglin (1993), who recommend 3.5. In a sample with more than half of the values equal, every other value
/// is an outlier.
///
/// # Errors
/// `Empty`, `NotFinite`, `OutOfRange` for a factor that is not above 0.
pub fn mad_fences(values: &[f64], factor: f64) -> Result<Fences, InputError> {
    input::positive("the factor", factor)?;
    let sorted = Sorted::new(values)?;
    let centre = sorted.median();
    let reach = factor * NORMAL_CONSISTENCY * deviation(&sorted);
    Ok(Fences {
        lower: centre - reach,
        upper: centre + reach,
    })
}

/// The median absolute deviation from the median, in the sample's unit; not scaled.
///
/// # Errors
/// `Empty`, `NotFinite`.
pub fn median_absolute_deviation(values: &[f64]) -> Result<f64, InputError> {
    Sorted::new(values).map(|sorted| deviation(&sorted))
}

/// The quartiles (type 7) widened by `factor` times their distance. Source: Tukey (1977): 1.5 for
/// outliers, 3 for far ones.
///
/// # Errors
/// `Empty`, `NotFinite`, `OutOfRange` for a factor that is not above 0.
pub fn iqr_fences(values: &[f64], factor: f64) -> Result<Fences, InputError> {
    input::positive("the factor", factor)?;
    let sorted = Sorted::new(values)?;
    let low = quantile(&sorted, 0.25, Definition::Type7)?;
    let high = quantile(&sorted, 0.75, Definition::Type7)?;
    let reach = factor * (high - low);
    Ok(Fences {
        lower: low - reach,
        upper: high + reach,
    })
}

fn deviation(sorted: &Sorted) -> f64 {
    let centre = sorted.median();
    let mut distances: Vec<f64> = sorted.values().iter().map(|x| (x - centre).abs()).collect();
    distances.sort_unstable_by(f64::total_cmp);
    let middle = distances.len() / 2;
    if distances.len() % 2 == 1 {
        distances[middle]
    } else {
        f64::midpoint(distances[middle - 1], distances[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stray_value_is_found_by_both() {
        let values = [10.0, 11.0, 9.0, 10.5, 9.5, 10.2, 60.0, 9.8];
        let by_mad = mad_fences(&values, 3.5).expect("valid input");
        let by_iqr = iqr_fences(&values, 1.5).expect("valid input");
        assert_eq!(by_mad.outliers(&values), [6]);
        assert_eq!(by_iqr.outliers(&values), [6]);
    }

    #[test]
    fn the_median_absolute_deviation_is_the_textbooks() {
        // 1, 1, 2, 2, 4, 6, 9: median 2, distances 1, 1, 0, 0, 2, 4, 7, their median 1.
        let found = median_absolute_deviation(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]);
        assert_eq!(found, Ok(1.0));
    }
}
