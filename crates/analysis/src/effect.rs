//! The size of a difference, independent of its significance.

use crate::input::InputError;
use crate::mann_whitney::u_test;

/// The size of an effect without a unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The probability that a value of the second sample is the larger one, ties half; Vargha and
    /// Delaney's A.
    pub superiority: f64,
    pub magnitude: Magnitude,
}

/// Vargha and Delaney (2000): A at least 0.56, 0.64, 0.71 or the same distance below a half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Magnitude {
    Negligible,
    Small,
    Medium,
    Large,
}

impl Effect {
    /// From a probability of superiority within 0..=1.
    pub fn from_superiority(superiority: f64) -> Self {
        let distance = (superiority - 0.5).abs();
        // A tolerance for rounding: 0.56 - 0.5 is below 0.06 as a float.
        let reaches = |limit: f64| distance >= limit - 1e-12;
        let magnitude = if reaches(0.21) {
            Magnitude::Large
        } else if reaches(0.14) {
            Magnitude::Medium
        } else if reaches(0.06) {
            Magnitude::Small
        } else {
            Magnitude::Negligible
        };
        Self {
            superiority,
            magnitude,
        }
    }

    /// Cliff's delta, within -1..=1: P(b > a) - P(b < a).
    pub fn cliffs_delta(&self) -> f64 {
        2.0 * self.superiority - 1.0
    }
}

/// The effect from `a` to `b`.
///
/// # Errors
/// `Empty`, `NotFinite`.
pub fn effect(a: &[f64], b: &[f64]) -> Result<Effect, InputError> {
    u_test(a, b).map(|test| Effect::from_superiority(test.superiority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separate_samples_have_the_largest_effect() {
        let found = effect(&[1.0, 2.0], &[3.0, 4.0]).expect("finite values");
        assert_eq!((found.superiority, found.cliffs_delta()), (1.0, 1.0));
        assert_eq!(found.magnitude, Magnitude::Large);
    }

    #[test]
    fn magnitudes_begin_at_their_limits() {
        let check = |a, expected| assert_eq!(Effect::from_superiority(a).magnitude, expected);
        check(0.5, Magnitude::Negligible);
        check(0.56, Magnitude::Small);
        check(0.44, Magnitude::Small);
        check(0.64, Magnitude::Medium);
        check(0.71, Magnitude::Large);
        check(0.29, Magnitude::Large);
    }
}
