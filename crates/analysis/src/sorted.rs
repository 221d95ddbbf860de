//! A sample in ascending order: the input of all rank statistics.

use crate::input::{self, InputError};

/// Finite values in ascending order; never empty. The unit is the caller's.
#[derive(Debug, Clone, PartialEq)]
pub struct Sorted(Vec<f64>);

impl Sorted {
    /// Sorts a copy.
    ///
    /// # Errors
    /// `Empty` without values, `NotFinite` with the index of the first NaN or infinity.
    pub fn new(values: &[f64]) -> Result<Self, InputError> {
        Self::named("the sample", values)
    }

    pub(crate) fn named(what: &'static str, values: &[f64]) -> Result<Self, InputError> {
        input::finite(what, values, 1)?;
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Ok(Self(sorted))
    }

    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// The number of values; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a Sorted is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn min(&self) -> f64 {
        self.0[0]
    }

    pub fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    pub fn is_constant(&self) -> bool {
        self.min() == self.max()
    }

    /// The value with this rank, counted from 1; ranks outside are clamped to the nearest end.
    pub fn rank(&self, rank: usize) -> f64 {
        self.0[rank.clamp(1, self.0.len()) - 1]
    }

    /// The number of values below `limit`.
    pub fn count_below(&self, limit: f64) -> usize {
        self.0.partition_point(|value| *value < limit)
    }

    /// The number of values at or below `limit`.
    pub fn count_up_to(&self, limit: f64) -> usize {
        self.0.partition_point(|value| *value <= limit)
    }

    /// The middle value, or the mean of the two middle ones.
    pub fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 {
            self.0[middle]
        } else {
            f64::midpoint(self.0[middle - 1], self.0[middle])
        }
    }
}
