//! Whether the second of two runs is worse, and the smallest difference that this pair can detect.

use crate::distribution::normal_quantile;
use crate::effect::Effect;
use crate::input::{self, InputError};
use crate::interval::Interval;
use crate::mann_whitney::{UTest, u_test_sorted};
use crate::shift::{Shift, shift_sorted};
use crate::sorted::Sorted;

/// The direction of a change that is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worse {
    /// Response times, error counts, memory.
    Larger,
    /// Throughput, success rates.
    Smaller,
}

/// The parameters of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    pub worse: Worse,
    /// Confidence of the interval; the test's level is one minus this.
    pub confidence: f64,
    /// The probability of detecting the minimal detectable effect.
    pub power: f64,
    /// The relative change that matters; 0.2 for "20 % slower is a regression".
    pub tolerance: f64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            worse: Worse::Larger,
            confidence: 0.95,
            power: 0.8,
            tolerance: 0.2,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Significantly worse, and by the tolerance or more: by the estimate, or by the interval if a change as large as
    /// the tolerance would have been detected.
    Regression,
    /// Significantly worse, but by less than the tolerance: the whole interval is below it.
    WorseWithinTolerance,
    /// Not significantly different; a change as large as the tolerance would have been detected, and the
    /// interval excludes it.
    NoRegression,
    /// Significantly better.
    Improvement,
    /// The data could not have shown a change as large as the tolerance.
    Inconclusive,
}

/// The comparison of two samples. Relative numbers are shares of the baseline's median (0.2 is 20 %),
/// positive if the candidate is larger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    pub baseline_median: f64,
    pub candidate_median: f64,
    pub test: UTest,
    /// In the samples' unit.
    pub shift: Shift,
    pub relative_shift: f64,
    pub relative_interval: Interval,
    pub effect: Effect,
    /// The smallest relative change that a pair like this detects with the plan's power; `None` if the
    /// samples are too small to bound the shift.
    pub minimal_detectable: Option<f64>,
    pub outcome: Outcome,
    /// Number of values per side with which the tolerance would be detectable; `None` if it already is, or
    /// if it is unknown.
    pub needs_per_side: Option<u64>,
}

/// Compares independent values (one per run, per window, or thinned to the effective size).
///
/// The test is Mann-Whitney's, the shift Hodges-Lehmann's with the interval that belongs to it. The
/// minimal detectable effect is (z of the confidence + z of the power) · standard error, the error
/// taken from the interval's width; so it holds for any distribution that the shift holds for.
///
/// # Errors
/// `Empty`, `NotFinite`; `OutOfRange` for a plan outside its limits or a baseline with a median of 0, for
/// which relative numbers are undefined.
pub fn compare(baseline: &[f64], candidate: &[f64], plan: &Plan) -> Result<Comparison, InputError> {
    input::open_unit("the confidence", plan.confidence)?;
    input::open_unit("the power", plan.power)?;
    input::positive("the tolerance", plan.tolerance)?;
    let a = Sorted::named("the baseline", baseline)?;
    let b = Sorted::named("the candidate", candidate)?;
    let base = a.median().abs();
    input::positive("the baseline's median without its sign", base)?;

    let test = u_test_sorted(&a, &b);
    let shift = shift_sorted(&a, &b, plan.confidence);
    let relative_interval = shift.interval.scaled(1.0 / base);
    let relative_shift = shift.estimate / base;
    let minimal_detectable = detectable(&relative_interval, plan);
    let seen = Seen {
        relative_shift,
        relative_interval,
        p_value: test.p_value,
        minimal_detectable,
    };
    let outcome = decide(&seen, plan);
    let smaller_side = a.len().min(b.len()) as f64;
    let needs_per_side = minimal_detectable
        .filter(|mde| outcome == Outcome::Inconclusive && *mde > plan.tolerance)
        .map(|mde| (smaller_side * (mde / plan.tolerance).powi(2)).ceil() as u64);
    Ok(Comparison {
        baseline_median: a.median(),
        candidate_median: b.median(),
        test,
        shift,
        relative_shift,
        relative_interval,
        effect: Effect::from_superiority(test.superiority),
        minimal_detectable,
        outcome,
        needs_per_side,
    })
}

fn detectable(interval: &Interval, plan: &Plan) -> Option<f64> {
    if !interval.is_bounded() {
        return None;
    }
    let z = normal_quantile(1.0 - (1.0 - plan.confidence) / 2.0);
    let standard_error = interval.half_width() / z;
    Some((z + normal_quantile(plan.power)) * standard_error)
}

/// An observed change; relative numbers are shares of the baseline, positive when it grew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    pub relative_shift: f64,
    /// Infinite where the data give no bound.
    pub relative_interval: Interval,
    /// Adjusted if several figures are tested.
    pub p_value: f64,
    pub minimal_detectable: Option<f64>,
}

/// Whether a change is a regression: worse beyond chance *and* beyond the tolerance.
pub fn decide(seen: &Seen, plan: &Plan) -> Outcome {
    let (worse_by, at_most) = match plan.worse {
        Worse::Larger => (seen.relative_shift, seen.relative_interval.upper),
        Worse::Smaller => (-seen.relative_shift, -seen.relative_interval.lower),
    };
    let tolerance = plan.tolerance;
    let would_be_seen = seen.minimal_detectable.is_some_and(|mde| mde <= tolerance);
    if seen.p_value <= 1.0 - plan.confidence {
        return match worse_by {
            _ if worse_by <= 0.0 => Outcome::Improvement,
            _ if worse_by >= tolerance => Outcome::Regression,
            _ if at_most < tolerance => Outcome::WorseWithinTolerance,
            // Half of the estimates of a change as large as the tolerance are below it.
            _ if would_be_seen => Outcome::Regression,
            _ => Outcome::Inconclusive,
        };
    }
    if would_be_seen && at_most < tolerance {
        Outcome::NoRegression
    } else {
        Outcome::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(baseline: &[f64], candidate: &[f64], worse: Worse, expected: Outcome) {
        let plan = Plan {
            worse,
            ..Plan::default()
        };
        let found = compare(baseline, candidate, &plan).expect("valid input");
        assert_eq!(found.outcome, expected, "{found:?}");
    }

    #[test]
    fn half_as_slow_again_is_a_regression_and_the_reverse_an_improvement() {
        let fast: Vec<f64> = (100..120).map(f64::from).collect();
        let slow: Vec<f64> = fast.iter().map(|x| x * 1.5).collect();
        check(&fast, &slow, Worse::Larger, Outcome::Regression);
        check(&slow, &fast, Worse::Larger, Outcome::Improvement);
        check(&fast, &slow, Worse::Smaller, Outcome::Improvement);
        check(&slow, &fast, Worse::Smaller, Outcome::Regression);
    }

    #[test]
    fn a_sure_but_small_change_stays_within_the_tolerance() {
        let before: Vec<f64> = (1000..1030).map(f64::from).collect();
        let after: Vec<f64> = before.iter().map(|x| x + 60.0).collect();
        check(
            &before,
            &after,
            Worse::Larger,
            Outcome::WorseWithinTolerance,
        );
        check(&before, &before, Worse::Larger, Outcome::NoRegression);
    }

    #[test]
    fn three_runs_a_side_say_nothing() {
        check(
            &[1.0, 2.0, 3.0],
            &[1.5, 2.5, 3.5],
            Worse::Larger,
            Outcome::Inconclusive,
        );
    }

    #[test]
    fn a_baseline_of_zeros_is_refused() {
        let refused = compare(&[0.0; 5], &[1.0; 5], &Plan::default()).expect_err("a median of 0");
        assert_eq!(
            refused.to_string(),
            "the baseline's median without its sign is 0; it must be a finite number above 0"
        );
    }
}
