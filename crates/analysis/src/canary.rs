//! Judges a canary like Kayenta's NetflixACAJudge: a class for each metric, and a score over all of them.

use crate::input::{self, InputError};
use crate::shift::hodges_lehmann;

/// The changes of a metric that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Increase,
    Decrease,
    Either,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Pass,
    High,
    Low,
    /// One of the two samples is empty.
    NoData,
}

/// The criteria for a changed metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criteria {
    /// The changes that matter.
    pub direction: Direction,
    /// Relative to the shift's own size (Kayenta: 0.25).
    pub tolerance: f64,
    /// Kayenta: 0.98.
    pub confidence: f64,
}

/// Classifies a metric: `High` when the whole interval of the shift lies above the tolerance times the shift's
/// own size, `Low` when it lies below the negative of that. Equal samples pass.
///
/// # Errors
/// `NotFinite`; `OutOfRange` for the confidence or a negative tolerance.
pub fn classify(
    control: &[f64],
    experiment: &[f64],
    criteria: &Criteria,
) -> Result<Class, InputError> {
    let Criteria {
        direction,
        tolerance,
        confidence,
    } = *criteria;
    input::not_negative("the tolerance", tolerance)?;
    input::open_unit("the confidence", confidence)?;
    if control.is_empty() || experiment.is_empty() {
        return Ok(Class::NoData);
    }
    if control == experiment {
        return Ok(Class::Pass);
    }
    let shift = hodges_lehmann(control, experiment, confidence)?;
    let bound = tolerance * shift.estimate.abs();
    let high = direction != Direction::Decrease && shift.interval.lower > bound;
    let low = direction != Direction::Increase && shift.interval.upper < -bound;
    Ok(match (high, low) {
        (true, _) => Class::High,
        (_, true) => Class::Low,
        _ => Class::Pass,
    })
}

/// The share of a group's metrics that pass, in percent; metrics without data do not count. `None` when
/// none has data.
pub fn group_score(classes: &[Class]) -> Option<f64> {
    let judged = classes.iter().filter(|class| **class != Class::NoData);
    let count = judged.clone().count();
    let passed = judged.filter(|class| **class == Class::Pass).count();
    (count > 0).then(|| 100.0 * passed as f64 / count as f64)
}

/// The weighted mean of group scores, each with its weight; `None` if the sum of the weights is 0.
///
/// # Errors
/// `OutOfRange` for a negative weight or a score outside 0..=100.
pub fn summary_score(groups: &[(f64, f64)]) -> Result<Option<f64>, InputError> {
    for (score, weight) in groups {
        input::holds(
            "a group's score",
            *score,
            (0.0..=100.0).contains(score),
            "within 0 to 100",
        )?;
        input::not_negative("a group's weight", *weight)?;
    }
    let weights: f64 = groups.iter().map(|(_, weight)| weight).sum();
    let sum: f64 = groups.iter().map(|(score, weight)| score * weight).sum();
    Ok((weights > 0.0).then(|| sum / weights))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_without_data_do_not_count() {
        let classes = [Class::Pass, Class::NoData, Class::High, Class::Pass];
        let score = group_score(&classes).expect("three metrics have data");
        assert!((score - 200.0 / 3.0).abs() < 1e-12);
        assert_eq!(group_score(&[Class::NoData]), None);
        let criteria = Criteria {
            direction: Direction::Either,
            tolerance: 0.25,
            confidence: 0.98,
        };
        let class = classify(&[], &[1.0], &criteria);
        assert_eq!(class, Ok(Class::NoData));
    }

    #[test]
    fn groups_count_by_their_weights() {
        let score = summary_score(&[(100.0, 30.0), (50.0, 70.0)]);
        assert_eq!(score, Ok(Some(65.0)));
        assert_eq!(summary_score(&[]), Ok(None));
        assert!(summary_score(&[(101.0, 1.0)]).is_err());
    }
}
