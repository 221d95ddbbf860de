//! Thresholds with three results: passed, failed, or undecidable from the number of values.
//!
//! A threshold passes if the whole interval of the number is within it, fails if the whole interval is
//! beyond it, and is otherwise inconclusive, with the number of further values that would decide.

use crate::distribution::normal_quantile;
use crate::effective_size::Mean;
use crate::input::{self, InputError};
use crate::interval::Interval;
use crate::order_interval::{quantile_interval, rank_interval, smallest_sample};
use crate::proportion::{Count, proportion_interval};
use crate::sorted::Sorted;

/// More values than any run has: a number that needs more of them is at its limit.
const MOST_VALUES: u64 = 1_000_000_000_000;

/// The permitted side of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// A limit in the unit of the judged number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    pub side: Side,
    pub value: f64,
}

impl Limit {
    pub fn below(value: f64) -> Self {
        let side = Side::Below;
        Self { side, value }
    }

    pub fn at_most(value: f64) -> Self {
        let side = Side::AtMost;
        Self { side, value }
    }

    pub fn above(value: f64) -> Self {
        let side = Side::Above;
        Self { side, value }
    }

    pub fn at_least(value: f64) -> Self {
        let side = Side::AtLeast;
        Self { side, value }
    }

    pub fn is_kept_by(&self, value: f64) -> bool {
        match self.side {
            Side::Below => value < self.value,
            Side::AtMost => value <= self.value,
            Side::Above => value > self.value,
            Side::AtLeast => value >= self.value,
        }
    }

    /// Judges an interval: both ends meet the limit, both violate it, or they disagree.
    pub fn judge(&self, interval: &Interval) -> ThresholdOutcome {
        match (
            self.is_kept_by(interval.lower),
            self.is_kept_by(interval.upper),
        ) {
            (true, true) => ThresholdOutcome::Pass,
            (false, false) => ThresholdOutcome::Fail,
            _ => ThresholdOutcome::Inconclusive,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThresholdOutcome {
    Pass,
    Fail,
    Inconclusive,
}

/// The requirements to decide an inconclusive threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it is decided.
    Nothing,
    /// About this many values in total, and the number still missing.
    Values { total: u64, more: u64 },
    /// The measured number is at the limit; more values are not expected to decide.
    OnTheLimit,
}

/// A judged threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    pub answer: ThresholdOutcome,
    /// Interval of the judged number.
    pub interval: Interval,
    pub needs: Needs,
}

/// Judges the `q` quantile (0.95 for p95) of independent values. For correlated ones use
/// [`quantile_counts`] with the effective sample size.
///
/// # Errors
/// `OutOfRange` unless `q` and `confidence` are strictly between 0 and 1; `NotFinite` for the limit.
pub fn quantile(
    sample: &Sorted,
    q: f64,
    limit: Limit,
    confidence: f64,
) -> Result<Verdict, InputError> {
    input::finite("the limit", &[limit.value], 1)?;
    let interval = quantile_interval(sample, q, confidence)?;
    let n = sample.len();
    let seen = Seen {
        share: count_below(sample, limit) as f64 / n as f64,
        total: n as u64,
        effective_size: n as f64,
    };
    let (answer, needs) = judge_counts(&seen, q, limit, confidence)?;
    Ok(Verdict {
        answer,
        interval,
        needs,
    })
}

/// Judges the `q` quantile from counts alone, as histograms provide them: the hits of `below` are the values on
/// the low side of the limit (strictly below it for `Below` and `AtLeast`, up to it for `AtMost` and `Above`).
/// `effective_size` is the effective number of independent values, which is the number of values if they are
/// independent. The needed values are counted like all values.
///
/// # Errors
/// `Empty` for no values; `OutOfRange` for impossible counts, quantiles or confidences.
pub fn quantile_counts(
    below: Count,
    effective_size: f64,
    q: f64,
    limit: Limit,
    confidence: f64,
) -> Result<(ThresholdOutcome, Needs), InputError> {
    let total = below.trials;
    if total == 0 {
        return Err(InputError::Empty { what: "the values" });
    }
    input::holds(
        "the number of values below the limit",
        below.hits as f64,
        below.hits <= total,
        "at most the number of values",
    )?;
    input::holds(
        "the effective sample size",
        effective_size,
        effective_size >= 1.0 && effective_size <= total as f64,
        "between 1 and the number of values",
    )?;
    let seen = Seen {
        share: below.share(),
        total,
        effective_size,
    };
    judge_counts(&seen, q, limit, confidence)
}

/// Judges a probability, given `hits` in `trials`: an error rate, a success rate.
///
/// # Errors
/// As [`proportion_interval`].
pub fn proportion(
    hits: u64,
    trials: u64,
    limit: Limit,
    confidence: f64,
) -> Result<Verdict, InputError> {
    let interval = proportion_interval(hits, trials, confidence)?;
    let answer = limit.judge(&interval);
    let p = hits as f64 / trials as f64;
    // The variance of 0 hits is 0, but that of the limit is not: a realistic size uses the larger of both.
    let spread = (p * (1.0 - p))
        .max(limit.value * (1.0 - limit.value))
        .max(0.0);
    let needs = needs(answer, trials, spread, limit.value - p, confidence);
    Ok(Verdict {
        answer,
        interval,
        needs,
    })
}

/// Judges a mean that [`crate::effective_size::mean`] has estimated from `n` values.
pub fn mean(estimate: &Mean, n: u64, limit: Limit) -> Verdict {
    let answer = limit.judge(&estimate.interval);
    let spread = estimate.standard_error.powi(2) * n as f64;
    let distance = limit.value - estimate.mean;
    Verdict {
        answer,
        interval: estimate.interval,
        needs: needs(answer, n, spread, distance, estimate.interval.confidence),
    }
}

fn count_below(sample: &Sorted, limit: Limit) -> usize {
    match limit.side {
        Side::Below | Side::AtLeast => sample.count_below(limit.value),
        Side::AtMost | Side::Above => sample.count_up_to(limit.value),
    }
}

/// The evidence of a sample on a limit.
struct Seen {
    /// Share of the values on the low side of the limit.
    share: f64,
    total: u64,
    effective_size: f64,
}

fn judge_counts(
    seen: &Seen,
    q: f64,
    limit: Limit,
    confidence: f64,
) -> Result<(ThresholdOutcome, Needs), InputError> {
    let share = seen.share;
    let effective = seen.effective_size.floor().max(1.0) as u64;
    let answer = match (limit.side, placed(share, effective, q, confidence)?) {
        (_, None) => ThresholdOutcome::Inconclusive,
        (Side::Below | Side::AtMost, Some(Place::Low))
        | (Side::Above | Side::AtLeast, Some(Place::High)) => ThresholdOutcome::Pass,
        _ => ThresholdOutcome::Fail,
    };
    if answer != ThresholdOutcome::Inconclusive {
        return Ok((answer, Needs::Nothing));
    }
    let needs = match deciding_size(share, effective, q, confidence)? {
        None => Needs::OnTheLimit,
        Some(size) => {
            let thinning = seen.effective_size / seen.total as f64;
            values((size as f64 / thinning).ceil() as u64, seen.total)
        }
    };
    Ok((answer, needs))
}

/// The side of the limit on which the whole interval of a quantile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Low,
    High,
}

/// The position of the interval if `share` of `n` independent values are on the low side.
fn placed(share: f64, n: u64, q: f64, confidence: f64) -> Result<Option<Place>, InputError> {
    let ranks = rank_interval(n, q, confidence)?;
    // The value of a rank is on the low side if at least that many values are.
    let is_low = |rank: u64| share * n as f64 + 1e-6 >= rank as f64;
    Ok(if ranks.upper.is_some_and(is_low) {
        Some(Place::Low)
    } else if ranks.lower.is_some_and(|rank| !is_low(rank)) {
        Some(Place::High)
    } else {
        None
    })
}

/// The number of values, more than `have`, that would decide at the same share; `None` if 10¹² would not.
fn deciding_size(
    share: f64,
    have: u64,
    q: f64,
    confidence: f64,
) -> Result<Option<u64>, InputError> {
    let mut undecided = have;
    let mut decided = smallest_sample(q, confidence)?.max(have + 1);
    while placed(share, decided, q, confidence)?.is_none() {
        undecided = decided;
        decided *= 2;
        if decided > MOST_VALUES {
            return Ok(None);
        }
    }
    while decided - undecided > 1 {
        let middle = undecided + (decided - undecided) / 2;
        match placed(share, middle, q, confidence)? {
            Some(_) => decided = middle,
            None => undecided = middle,
        }
    }
    Ok(Some(decided))
}

/// The number of values with which the interval is narrower than the distance to the limit: n = (z /
/// distance)² · variance of one value.
fn needs(
    answer: ThresholdOutcome,
    have: u64,
    variance: f64,
    distance: f64,
    confidence: f64,
) -> Needs {
    if answer != ThresholdOutcome::Inconclusive {
        return Needs::Nothing;
    }
    let z = normal_quantile(1.0 - (1.0 - confidence) / 2.0);
    let total = (z / distance).powi(2) * variance;
    if !total.is_finite() || total > MOST_VALUES as f64 {
        return Needs::OnTheLimit;
    }
    values(total.ceil() as u64, have)
}

fn values(total: u64, have: u64) -> Needs {
    let total = total.max(have + 1);
    Needs::Values {
        total,
        more: total - have,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(sample: &[f64], q: f64, limit: Limit) -> Verdict {
        let sample = Sorted::new(sample).expect("finite values");
        quantile(&sample, q, limit, 0.95).expect("valid input")
    }

    #[test]
    fn a_hundred_values_cannot_judge_a_p99_and_368_can() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        let limit = Limit::below(200.0);
        let verdict = judge(&hundred, 0.99, limit);
        assert_eq!(verdict.answer, ThresholdOutcome::Inconclusive);
        assert_eq!(
            verdict.needs,
            Needs::Values {
                total: 368,
                more: 268
            }
        );
        let again = hundred.repeat(4);
        let verdict = judge(&again, 0.99, limit);
        assert_eq!(verdict.answer, ThresholdOutcome::Pass);
        assert_eq!(verdict.needs, Needs::Nothing);
    }

    #[test]
    fn both_sides_of_a_limit_are_judged() {
        let thousand: Vec<f64> = (1..=1000).map(f64::from).collect();
        let answer = |limit| judge(&thousand, 0.5, limit).answer;
        assert_eq!(answer(Limit::below(600.0)), ThresholdOutcome::Pass);
        assert_eq!(answer(Limit::below(400.0)), ThresholdOutcome::Fail);
        assert_eq!(answer(Limit::above(600.0)), ThresholdOutcome::Fail);
        assert_eq!(answer(Limit::above(400.0)), ThresholdOutcome::Pass);
        assert_eq!(answer(Limit::below(510.0)), ThresholdOutcome::Inconclusive);
        assert_eq!(
            answer(Limit::at_least(510.0)),
            ThresholdOutcome::Inconclusive
        );
    }

    #[test]
    fn a_value_equal_to_the_limit_is_at_most_but_not_below_it() {
        let same = [7.0; 100];
        assert_eq!(
            judge(&same, 0.5, Limit::at_most(7.0)).answer,
            ThresholdOutcome::Pass
        );
        assert_eq!(
            judge(&same, 0.5, Limit::below(7.0)).answer,
            ThresholdOutcome::Fail
        );
        assert_eq!(
            judge(&same, 0.5, Limit::at_least(7.0)).answer,
            ThresholdOutcome::Pass
        );
        assert_eq!(
            judge(&same, 0.5, Limit::above(7.0)).answer,
            ThresholdOutcome::Fail
        );
    }

    #[test]
    fn values_that_follow_each_other_closely_decide_less() {
        let (limit, all) = (Limit::below(200.0), Count::new(1000, 1000));
        let independent = quantile_counts(all, 1000.0, 0.99, limit, 0.95);
        assert_eq!(independent, Ok((ThresholdOutcome::Pass, Needs::Nothing)));
        let correlated = quantile_counts(all, 100.0, 0.99, limit, 0.95);
        assert_eq!(
            correlated,
            Ok((
                ThresholdOutcome::Inconclusive,
                Needs::Values {
                    total: 3680,
                    more: 2680
                }
            ))
        );
    }

    #[test]
    fn no_error_in_a_hundred_does_not_show_less_than_one_percent() {
        let limit = Limit::below(0.01);
        let verdict = proportion(0, 100, limit, 0.95).expect("valid input");
        assert_eq!(verdict.answer, ThresholdOutcome::Inconclusive);
        let Needs::Values { total, .. } = verdict.needs else {
            panic!("needs {:?}", verdict.needs);
        };
        assert_eq!(
            proportion(0, total, limit, 0.95).map(|verdict| verdict.answer),
            Ok(ThresholdOutcome::Pass)
        );
        let verdict = proportion(50, 1000, limit, 0.95).expect("valid input");
        assert_eq!(verdict.answer, ThresholdOutcome::Fail);
    }

    #[test]
    fn a_rate_on_its_limit_says_so() {
        let verdict = proportion(10, 1000, Limit::below(0.01), 0.95).expect("valid input");
        assert_eq!(
            (verdict.answer, verdict.needs),
            (ThresholdOutcome::Inconclusive, Needs::OnTheLimit)
        );
    }
}
