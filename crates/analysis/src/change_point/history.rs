//! A growing history, as in Hunter: appending values only evaluates its tail.

use super::{ChangePoint, Options, changes_in, checked, merged, relaxed};
use crate::input::{self, InputError};

/// A series with the change points found so far. A point of the first pass remains when values are appended: an
/// earlier report is not withdrawn by the next run, and the work does not grow with the history.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    series: Vec<f64>,
    /// The points of the first pass, by ascending index.
    weak: Vec<usize>,
    options: Options,
}

impl History {
    /// # Errors
    /// As [`super::change_points`].
    pub fn new(options: Options) -> Result<Self, InputError> {
        checked(&options)?;
        Ok(Self {
            series: Vec::new(),
            weak: Vec::new(),
            options,
        })
    }

    /// A history with known points of the first pass, as returned by [`Self::weak`].
    ///
    /// # Errors
    /// As [`super::change_points`]; `OutOfRange` for a point that is not inside the series.
    pub fn with_known(
        series: Vec<f64>,
        mut weak: Vec<usize>,
        options: Options,
    ) -> Result<Self, InputError> {
        checked(&options)?;
        if !series.is_empty() {
            input::finite("the series", &series, 1)?;
        }
        weak.sort_unstable();
        weak.dedup();
        let largest = weak.last().copied().unwrap_or(0);
        input::holds(
            "a known point",
            largest as f64,
            weak.is_empty() || (weak[0] > 0 && largest < series.len()),
            "inside the series",
        )?;
        Ok(Self {
            series,
            weak,
            options,
        })
    }

    /// Appends values, and evaluates the windows that they can change: two before the first of them, and
    /// those that contain them.
    ///
    /// # Errors
    /// `NotFinite`; nothing is appended then.
    pub fn append(&mut self, values: &[f64]) -> Result<(), InputError> {
        if values.is_empty() {
            return Ok(());
        }
        input::finite("the series", values, 1)?;
        let tail = self.series.len().saturating_sub(2 * self.options.window);
        self.series.extend_from_slice(values);
        // Windows begin at a change point, or at half a window.
        let half = (self.options.window / 2).max(1);
        let found = self.weak.iter().rev().find(|index| **index <= tail);
        let start = found.copied().unwrap_or(0).max(tail / half * half);
        let level = relaxed(self.options.max_p_value);
        let new = changes_in(&self.series, start, self.options.window, level);
        self.weak.extend(new);
        self.weak.sort_unstable();
        self.weak.dedup();
        Ok(())
    }

    pub fn series(&self) -> &[f64] {
        &self.series
    }

    /// The points of the first pass, to continue later.
    pub fn weak(&self) -> &[usize] {
        &self.weak
    }

    /// The change points by ascending index.
    pub fn change_points(&self) -> Vec<ChangePoint> {
        merged(&self.series, self.weak.clone(), &self.options)
    }
}
