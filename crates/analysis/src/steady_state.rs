//! Detects the end of a window's warm-up, if there is one.

use crate::input::{self, InputError};
use crate::moments::Moments;
use crate::trend::trend;

/// Values per batch, as in MSER-5.
const BATCH: usize = 5;
/// With fewer batches, a transient is not distinguishable from chance.
const FEWEST_BATCHES: usize = 16;

/// The criteria for a steady state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The minimum share of the window after the cut.
    pub smallest_share: f64,
    /// The maximum drift after the cut, as a share of the mean.
    pub largest_drift: f64,
    /// The significance level of a drift.
    pub alpha: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            smallest_share: 0.3,
            largest_drift: 0.05,
            alpha: 0.01,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    Steady,
    /// The best cut leaves less than the minimum share: there is no steady state.
    NoSteadyPart,
    /// The values after the cut drift by this share of their mean.
    Drifts {
        share: f64,
    },
}

/// A window divided into warm-up and steady part. Do not average a window that is not steady.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steadiness {
    pub verdict: Verdict,
    /// The first value after the warm-up, counted from 0.
    pub start: usize,
    /// Mean of the values from there on, in their unit.
    pub mean: f64,
}

/// Cuts off the warm-up of a series in order of time.
///
/// Source: MSER-5 (White, "An effective truncation heuristic for bias reduction in simulation output",
/// 1997; Spratt 1998): the cut that makes the marginal standard error of the batch means smallest. To the
/// rule's own reservation, a minimum in the second half, comes a trend test of what is left.
///
/// # Errors
/// `TooFew` below 80 values, `NotFinite`, `OutOfRange` for limits outside (0, 1).
pub fn steady_state(series: &[f64], limits: &Limits) -> Result<Steadiness, InputError> {
    input::open_unit("the smallest share", limits.smallest_share)?;
    input::open_unit("the level", limits.alpha)?;
    input::positive("the largest drift", limits.largest_drift)?;
    input::finite("the series", series, BATCH * FEWEST_BATCHES)?;
    let batches: Vec<f64> = series
        .chunks_exact(BATCH)
        .map(|batch| Moments::of(batch).mean())
        .collect();
    let cut = best_cut(&batches);
    let kept = &batches[cut..];
    let mean = Moments::of(&series[cut * BATCH..]).mean();
    let share = kept.len() as f64 / batches.len() as f64;
    // The sum of squares over few batches is small by chance, so cuts in the last half are never accepted.
    let verdict = if share < limits.smallest_share.max(0.5) {
        Verdict::NoSteadyPart
    } else {
        drift(kept, mean, limits)?
    };
    Ok(Steadiness {
        verdict,
        start: cut * BATCH,
        mean,
    })
}

/// The cut with the smallest sum of squares over the squared number of remaining batches. The last five
/// batches are excluded, because their statistic is dominated by chance.
fn best_cut(batches: &[f64]) -> usize {
    let statistic = |cut: usize| {
        let kept = &batches[cut..];
        Moments::of(kept).population_variance() / kept.len() as f64
    };
    (0..batches.len() - BATCH)
        .reduce(|best, next| {
            if statistic(next) < statistic(best) {
                next
            } else {
                best
            }
        })
        .unwrap_or(0)
}

fn drift(kept: &[f64], mean: f64, limits: &Limits) -> Result<Verdict, InputError> {
    let times: Vec<f64> = (0..kept.len()).map(|i| i as f64).collect();
    let trend = trend(&times, kept, 1.0 - limits.alpha)?;
    let drift = trend.slope * times[times.len() - 1];
    let share = drift / mean.abs();
    let believed = trend.p_value <= limits.alpha;
    Ok(if believed && share.abs() > limits.largest_drift {
        Verdict::Drifts { share }
    } else {
        Verdict::Steady
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(i: usize) -> f64 {
        f64::from((i as u32).wrapping_mul(2_654_435_769) >> 20) / 4096.0 - 0.5
    }

    fn judge(value: impl Fn(usize) -> f64) -> Steadiness {
        let series: Vec<f64> = (0..300).map(|i| value(i) + noise(i)).collect();
        steady_state(&series, &Limits::default()).expect("valid input")
    }

    #[test]
    fn the_ramp_is_cut_off() {
        let found = judge(|i| if i < 60 { i as f64 } else { 60.0 });
        assert_eq!(found.verdict, Verdict::Steady);
        assert!((50..=75).contains(&found.start), "{found:?}");
        assert!((found.mean - 60.0).abs() < 0.5, "{found:?}");
    }

    #[test]
    fn a_level_series_is_kept_nearly_whole() {
        let found = judge(|_| 100.0);
        assert_eq!(found.verdict, Verdict::Steady);
        assert!(found.start < 150, "{found:?}");
    }

    #[test]
    fn a_series_that_rises_to_the_end_is_not_steady() {
        let found = judge(|i| 10.0 + i as f64);
        assert_ne!(found.verdict, Verdict::Steady, "{found:?}");
    }

    #[test]
    fn a_slow_drift_is_named_with_its_size() {
        let series: Vec<f64> = (0..300)
            .map(|i| 100.0 + 0.03 * i as f64 + 20.0 * noise(i))
            .collect();
        let limits = Limits {
            largest_drift: 0.02,
            ..Limits::default()
        };
        let found = steady_state(&series, &limits).expect("valid input");
        let Verdict::Drifts { share } = found.verdict else {
            panic!("{found:?}");
        };
        assert!((0.02..0.10).contains(&share), "{found:?}");
    }

    #[test]
    fn a_constant_series_is_steady_from_the_start() {
        let found = steady_state(&[5.0; 100], &Limits::default()).expect("valid input");
        assert_eq!((found.verdict, found.start), (Verdict::Steady, 0));
    }
}
