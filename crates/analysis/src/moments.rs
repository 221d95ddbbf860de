//! Mean and variance in one numerically stable pass.

/// Mean and sum of squared deviations (Welford 1962).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moments {
    count: usize,
    mean: f64,
    squares: f64,
}

impl Moments {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut moments = Self::default();
        for value in values {
            moments.count += 1;
            let delta = value - moments.mean;
            moments.mean += delta / moments.count as f64;
            moments.squares += delta * (value - moments.mean);
        }
        moments
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn mean(&self) -> f64 {
        self.mean
    }

    /// Divided by n - 1; 0 for fewer than two values.
    pub(crate) fn sample_variance(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        self.squares / (self.count - 1) as f64
    }

    /// Divided by n; 0 for no values.
    pub(crate) fn population_variance(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        self.squares / self.count as f64
    }
}
