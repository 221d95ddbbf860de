//! Apdex: a single figure for the satisfaction of users with response times.

use crate::input::{self, InputError};

/// Counts of one Apdex group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Apdex {
    /// Answered within T.
    pub satisfied: u64,
    /// Answered within 4T.
    pub tolerating: u64,
    /// Slower, or failed.
    pub frustrated: u64,
}

impl Apdex {
    /// Counts response times against the target time T, both in one unit; `failures` are frustrated
    /// whatever their times were, so exclude their times.
    ///
    /// # Errors
    /// `NotFinite`; `OutOfRange` for a target that is not above 0. An empty input is valid.
    pub fn count(times: &[f64], failures: u64, target: f64) -> Result<Self, InputError> {
        input::positive("the target time", target)?;
        if !times.is_empty() {
            input::finite("the response times", times, 1)?;
        }
        let up_to = |limit: f64| times.iter().filter(|time| **time <= limit).count() as u64;
        let (satisfied, within_four) = (up_to(target), up_to(4.0 * target));
        Ok(Self {
            satisfied,
            tolerating: within_four - satisfied,
            frustrated: times.len() as u64 - within_four + failures,
        })
    }

    /// (satisfied + tolerating / 2) / all, within 0..=1; `None` without any request. Source: Apdex
    /// Technical Specification 1.1 (2007).
    pub fn score(&self) -> Option<f64> {
        let all = self.satisfied + self.tolerating + self.frustrated;
        (all > 0).then(|| (self.satisfied as f64 + self.tolerating as f64 / 2.0) / all as f64)
    }

    /// The specification's word for the score.
    pub fn rating(&self) -> &'static str {
        match self.score() {
            None => "no sample",
            Some(score) if score >= 0.94 => "excellent",
            Some(score) if score >= 0.85 => "good",
            Some(score) if score >= 0.70 => "fair",
            Some(score) if score >= 0.50 => "poor",
            Some(_) => "unacceptable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_satisfied_and_thirty_tolerating_of_a_hundred_are_three_quarters() {
        // The worked example of the specification.
        let apdex = Apdex {
            satisfied: 60,
            tolerating: 30,
            frustrated: 10,
        };
        assert_eq!(apdex.score(), Some(0.75));
        assert_eq!(apdex.rating(), "fair");
    }

    #[test]
    fn the_limits_belong_to_the_better_group_and_failures_frustrate() {
        let found = Apdex::count(&[500.0, 500.1, 2000.0, 2000.1], 2, 500.0).expect("valid input");
        let expected = Apdex {
            satisfied: 1,
            tolerating: 2,
            frustrated: 3,
        };
        assert_eq!(found, expected);
        let none = Apdex::count(&[], 0, 500.0).expect("valid input");
        assert_eq!((none.score(), none.rating()), (None, "no sample"));
    }
}
