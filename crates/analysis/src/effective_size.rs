//! The effective number of independent values in a correlated series.
//!
//! Response times of neighbouring requests are correlated. An interval that assumes independence is too
//! narrow, so every interval of a mean is computed here.

use crate::distribution::student_t_quantile;
use crate::input::{self, InputError};
use crate::interval::Interval;
use crate::moments::Moments;

/// With fewer values, the variance between batches is too uncertain.
const SMALLEST_SERIES: usize = 16;

/// A mean and its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// In the series' unit.
    pub mean: f64,
    /// Standard error of the mean, including the correlation of neighbouring values.
    pub standard_error: f64,
    pub interval: Interval,
    /// Between 1 and the number of values.
    pub effective_size: f64,
    /// Number of batches on which the standard error is based.
    pub batches: usize,
}

/// The mean of a series in order of time, by non-overlapping batch means with batches of √n values.
///
/// Sources: Law, "Simulation Modeling and Analysis", 9.5.3; Flegal and Jones, "Batch means and
/// spectral variance estimators" (2010) for √n. The batch means' variance has few degrees of
/// freedom, so the interval is Student's t.
///
/// # Errors
/// `TooFew` below 16 values, `NotFinite`, `OutOfRange` for the confidence.
pub fn mean(series: &[f64], confidence: f64) -> Result<Mean, InputError> {
    input::finite("the series", series, SMALLEST_SERIES)?;
    input::open_unit("the confidence", confidence)?;
    let size = series.len().isqrt();
    let batches = series.len() / size;
    // The oldest values are left out if the series is not a multiple of the batch size.
    let used = &series[series.len() - batches * size..];
    let means: Vec<f64> = used
        .chunks_exact(size)
        .map(|batch| Moments::of(batch).mean())
        .collect();
    let between = Moments::of(&means).sample_variance();
    let within = Moments::of(series);
    let n = series.len() as f64;
    let long_run = between * size as f64;
    let effective_size = if long_run > 0.0 {
        (n * within.sample_variance() / long_run).clamp(1.0, n)
    } else {
        n
    };
    // Batch means that are too similar, by chance or by alternation, do not make a mean more precise than
    // independent values would.
    let standard_error = (within.sample_variance() / effective_size).sqrt();
    let t = student_t_quantile(1.0 - (1.0 - confidence) / 2.0, (batches - 1) as f64);
    Ok(Mean {
        mean: within.mean(),
        standard_error,
        interval: Interval::around(within.mean(), t * standard_error, confidence),
        effective_size,
        batches,
    })
}

/// The number of independent values that would determine the mean as precisely as this series in order of
/// time; between 1 and its length.
///
/// # Errors
/// As [`mean`].
pub fn effective_size(series: &[f64]) -> Result<f64, InputError> {
    mean(series, 0.95).map(|mean| mean.effective_size)
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn a_constant_series_is_known_exactly() {
        let found = mean(&[5.0; 100], 0.95).expect("valid input");
        assert_eq!((found.mean, found.standard_error), (5.0, 0.0));
        assert_eq!(found.effective_size, 100.0);
    }

    #[test]
    fn values_that_come_ten_times_in_a_row_count_once() {
        let mut rng = SmallRng::seed_from_u64(1);
        let series: Vec<f64> = (0..1000).flat_map(|_| [rng.random::<f64>(); 10]).collect();
        let found = effective_size(&series).expect("valid input");
        assert!((700.0..1400.0).contains(&found), "{found}");
    }

    #[test]
    fn a_short_series_is_refused() {
        assert_eq!(
            effective_size(&[1.0; 3]),
            Err(InputError::TooFew {
                what: "the series",
                have: 3,
                need: 16
            })
        );
    }
}
