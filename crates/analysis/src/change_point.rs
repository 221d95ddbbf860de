//! Change points in a history of runs, by the method of Hunter.
//!
//! Sources: Fleming et al., "Hunter: Using Change Point Detection to Hunt for Performance Regressions"
//! (2023), on top of E-divisive (Matteson and James, 2013): within overlapping windows the split with the
//! largest energy distance is kept while Student's t test calls it significant at a relaxed level; then
//! the weakest points are merged away until all keep the strict level. The test is given population
//! standard deviations, as Apache Otava does, so that both find the same points. No chance is
//! involved.

mod energy;
mod history;

pub use history::History;

use crate::distribution::student_t_two_sided;
use crate::input::{self, InputError};
use crate::moments::Moments;

/// The minimum size of reported changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Values per window, at least 2; windows overlap by half.
    pub window: usize,
    /// The level of the t test.
    pub max_p_value: f64,
    /// The smallest relative change of the mean that is reported; 0.05 is 5 %.
    pub min_magnitude: f64,
    pub merging: Merging,
}

/// The points that are evaluated again after the weakest point was merged away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Merging {
    /// The points on both sides, as in the paper. Every remaining point satisfies the level.
    #[default]
    BothSides,
    /// The next two points, as in the code of Hunter and Apache Otava. The previous point keeps an outdated
    /// p value, so some remaining points do not satisfy the level. For histories that have to match those
    /// tools.
    AsOtava,
}

impl Default for Options {
    /// Otava's defaults, with the paper's merging.
    fn default() -> Self {
        Self {
            window: 50,
            max_p_value: 0.001,
            min_magnitude: 0.0,
            merging: Merging::default(),
        }
    }
}

/// A change of a series. Means are of the segments between neighbouring change points, in the series' unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// The first value of the new segment, counted from 0.
    pub index: usize,
    pub mean_before: f64,
    pub mean_after: f64,
    /// Population standard deviations.
    pub deviation_before: f64,
    pub deviation_after: f64,
    pub p_value: f64,
}

impl ChangePoint {
    /// mean after / mean before - 1; 0 when the mean before is 0.
    pub fn relative_change(&self) -> f64 {
        ratio(self.mean_after, self.mean_before)
    }

    /// The larger of the relative changes forwards and backwards, without sign.
    pub fn magnitude(&self) -> f64 {
        let forwards = ratio(self.mean_after, self.mean_before).abs();
        forwards.max(ratio(self.mean_before, self.mean_after).abs())
    }
}

fn ratio(of: f64, to: f64) -> f64 {
    if to == 0.0 { 0.0 } else { of / to - 1.0 }
}

/// The change points of a series in order of time, by ascending index.
///
/// # Errors
/// `Empty`, `NotFinite`; `OutOfRange` for a window below 2, a p value outside (0, 1) or a negative
/// magnitude. A series that is too short has no change points.
pub fn change_points(series: &[f64], options: &Options) -> Result<Vec<ChangePoint>, InputError> {
    input::finite("the series", series, 1)?;
    checked(options)?;
    let weak = changes_in(series, 0, options.window, relaxed(options.max_p_value));
    Ok(merged(series, weak, options))
}

fn checked(options: &Options) -> Result<(), InputError> {
    input::holds(
        "the window",
        options.window as f64,
        options.window >= 2,
        "at least 2",
    )?;
    input::open_unit("the largest p value", options.max_p_value)?;
    input::not_negative("the smallest magnitude", options.min_magnitude)?;
    Ok(())
}

/// The level of the first pass.
fn relaxed(p_value: f64) -> f64 {
    if p_value < 0.05 {
        10.0 * p_value
    } else if p_value < 0.5 {
        2.0 * p_value
    } else {
        p_value
    }
}

/// The points of the first pass from `start` on.
fn changes_in(series: &[f64], mut start: usize, window: usize, max_p_value: f64) -> Vec<usize> {
    let mut found = Vec::new();
    while start < series.len() {
        let end = series.len().min(start + window);
        let inside = within_window(&series[start..end], max_p_value);
        let last = inside.last().map_or(0, |index| index + start);
        found.extend(inside.into_iter().map(|index| index + start));
        start = last.max(start + window / 2);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Splits a window where the energy distance is largest, as long as the split is significant.
fn within_window(window: &[f64], max_p_value: f64) -> Vec<usize> {
    let distances = energy::Distances::of(window);
    let mut splits: Vec<usize> = Vec::new();
    loop {
        let mut best: Option<energy::Split> = None;
        for (start, end) in stretches(&splits, window.len()) {
            let Some(split) = distances.best_split(start, end) else {
                continue;
            };
            if best.is_none_or(|best| split.distance > best.distance) {
                best = Some(split);
            }
        }
        let Some(split) = best else {
            return splits;
        };
        let at = splits.partition_point(|known| *known < split.index);
        splits.insert(at, split.index);
        let point = measured(window, &splits, at);
        // Nothing is far enough from the rest; the largest distance decides for all.
        if point.p_value > max_p_value {
            splits.remove(at);
            return splits;
        }
    }
}

fn merged(series: &[f64], mut indices: Vec<usize>, options: &Options) -> Vec<ChangePoint> {
    let mut points: Vec<ChangePoint> = (0..indices.len())
        .map(|at| measured(series, &indices, at))
        .collect();
    while let Some(weakest) = weakest(&points, options) {
        points.remove(weakest);
        indices.remove(weakest);
        let changed = match options.merging {
            Merging::BothSides => weakest.saturating_sub(1)..weakest + 1,
            Merging::AsOtava => weakest..weakest + 2,
        };
        for at in changed.filter(|at| *at < indices.len()) {
            points[at] = measured(series, &indices, at);
        }
    }
    points
}

/// The first of the points with the largest p value, if it is too large; else the first of those with
/// the smallest change, if it is too small.
fn weakest(points: &[ChangePoint], options: &Options) -> Option<usize> {
    let first_least = |key: &dyn Fn(&ChangePoint) -> f64| {
        (0..points.len()).reduce(|best, next| {
            if key(&points[next]) < key(&points[best]) {
                next
            } else {
                best
            }
        })
    };
    let by_p_value = first_least(&|point| -point.p_value)?;
    if points[by_p_value].p_value >= options.max_p_value {
        return Some(by_p_value);
    }
    let by_change = first_least(&ChangePoint::magnitude)?;
    (points[by_change].magnitude() <= options.min_magnitude).then_some(by_change)
}

fn stretches(splits: &[usize], length: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
    let starts = std::iter::once(0).chain(splits.iter().copied());
    let ends = splits.iter().copied().chain(std::iter::once(length));
    starts.zip(ends)
}

/// Compares the segments before and after `indices[at]`.
fn measured(series: &[f64], indices: &[usize], at: usize) -> ChangePoint {
    let index = indices[at];
    let start = at.checked_sub(1).map_or(0, |before| indices[before]);
    let end = indices.get(at + 1).copied().unwrap_or(series.len());
    let (left, right) = (&series[start..index], &series[index..end]);
    let (before, after) = (Moments::of(left), Moments::of(right));
    ChangePoint {
        index,
        mean_before: before.mean(),
        mean_after: after.mean(),
        deviation_before: before.population_variance().sqrt(),
        deviation_after: after.population_variance().sqrt(),
        p_value: t_test(&before, &after),
    }
}

fn t_test(left: &Moments, right: &Moments) -> f64 {
    let (n, m) = (left.count(), right.count());
    if n + m <= 2 {
        return 1.0;
    }
    let (n, m) = (n as f64, m as f64);
    let degrees = n + m - 2.0;
    let pooled = ((n - 1.0) * left.population_variance() + (m - 1.0) * right.population_variance())
        / degrees;
    let t = (left.mean() - right.mean()) / (pooled * (1.0 / n + 1.0 / m)).sqrt();
    // 0 / 0: two segments of the same constant value do not differ.
    if t.is_nan() {
        1.0
    } else {
        student_t_two_sided(t, degrees)
    }
}
