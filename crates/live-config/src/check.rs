//! The limits of numbers, and the errors of a configuration, each with its path.
//!
//! `docs/CONFIGURATION.md` gets the limits of a field from the calls of these methods, so that it states what is
//! checked.

use std::fmt::Display;

use crate::error::{ConfigError, join};

/// A day, the longest time of a profile.
const DAY_MS: f64 = 86_400_000.0;

/// A collector of errors, with the path of the checked part.
#[derive(Debug)]
pub struct Check<'a> {
    errors: &'a mut Vec<ConfigError>,
    path: String,
}

impl<'a> Check<'a> {
    pub fn new(errors: &'a mut Vec<ConfigError>) -> Self {
        Self {
            errors,
            path: String::new(),
        }
    }

    /// The same collector, one level down.
    pub fn at(&mut self, field: &str) -> Check<'_> {
        Check {
            path: join(&self.path, field),
            errors: self.errors,
        }
    }

    /// The same collector, at an element of a list.
    pub fn index(&mut self, index: usize) -> Check<'_> {
        Check {
            path: format!("{}[{index}]", self.path),
            errors: self.errors,
        }
    }

    pub fn error(&mut self, field: &str, message: impl Into<String>) {
        let error = ConfigError::new(join(&self.path, field), message);
        self.errors.push(error);
    }

    /// A share: 0 to 1.
    pub fn share(&mut self, field: &str, value: f64) {
        if !(0.0..=1.0).contains(&value) {
            let hint = format!("{value} is not a share; use a number from 0 to 1, as 0.05 for 5 %");
            self.error(field, hint);
        }
    }

    /// A positive share: above 0, up to 1.
    pub fn share_above_0(&mut self, field: &str, value: f64) {
        if !(value > 0.0 && value <= 1.0) {
            let hint = format!("{value} is not a share; use a number above 0, up to 1");
            self.error(field, hint);
        }
    }

    /// A share strictly between the extremes: above 0 and below 1.
    pub fn inner_share(&mut self, field: &str, value: f64) {
        if !(value > 0.0 && value < 1.0) {
            self.error(
                field,
                format!("is {value}; use a number above 0 and below 1"),
            );
        }
    }

    /// A finite number of at least 0.
    pub fn not_negative(&mut self, field: &str, value: f64) {
        if !value.is_finite() || value < 0.0 {
            self.error(field, format!("is {value}; use a number of at least 0"));
        }
    }

    /// A finite number above 0.
    pub fn positive(&mut self, field: &str, value: f64) {
        if !value.is_finite() || value <= 0.0 {
            self.error(field, format!("is {value}; use a number above 0"));
        }
    }

    /// A time in milliseconds: at least 0, at most a day.
    pub fn ms(&mut self, field: &str, value: f64) {
        if !(0.0..=DAY_MS).contains(&value) {
            self.error(field, format!("is {value}; use 0 to {DAY_MS} (a day)"));
        }
    }

    /// A time in milliseconds: above 0, at most a day.
    pub fn ms_above_0(&mut self, field: &str, value: f64) {
        if !(value > 0.0 && value <= DAY_MS) {
            let hint = format!("is {value}; use a number above 0, up to {DAY_MS} (a day)");
            self.error(field, hint);
        }
    }

    pub fn at_least<T: PartialOrd + Display>(&mut self, field: &str, value: T, least: T) {
        let allowed = least..;
        // A value that cannot be compared is out of range.
        if !allowed.contains(&value) {
            self.error(field, format!("is {value}; use at least {}", allowed.start));
        }
    }

    pub fn at_most<T: PartialOrd + Display>(&mut self, field: &str, value: T, most: T) {
        let allowed = ..=most;
        if !allowed.contains(&value) {
            self.error(field, format!("is {value}; use at most {}", allowed.end));
        }
    }

    pub fn between<T: PartialOrd + Display>(&mut self, field: &str, value: T, least: T, most: T) {
        let allowed = least..=most;
        if !allowed.contains(&value) {
            let (least, most) = allowed.into_inner();
            self.error(field, format!("is {value}; use {least} to {most}"));
        }
    }

    pub fn one_of<T: PartialEq + Display>(&mut self, field: &str, value: T, known: &[T]) {
        if !known.contains(&value) {
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            let hint = format!("is {value}; use one of {}", known.join(", "));
            self.error(field, hint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the errors of a check with the expectation for each value; a value in range has none.
    fn check<T: Copy>(values: &[(T, bool)], check: impl Fn(&mut Check<'_>, T)) {
        for (place, (value, is_within)) in values.iter().enumerate() {
            let mut errors = Vec::new();
            check(&mut Check::new(&mut errors).at("a"), *value);
            assert_eq!(errors.is_empty(), *is_within, "value {place}: {errors:?}");
            assert!(errors.iter().all(|error| error.path == "a.b"), "{errors:?}");
        }
    }

    #[test]
    fn numbers_are_within_their_limits_or_told() {
        let near_0 = f64::MIN_POSITIVE;
        let shares = [
            (0.0, true),
            (1.0, true),
            (-near_0, false),
            (1.1, false),
            (f64::NAN, false),
        ];
        check(&shares, |check, value| check.share("b", value));
        let shares = [(0.0, false), (near_0, true), (1.0, true), (1.1, false)];
        check(&shares, |check, value| check.share_above_0("b", value));
        let shares = [(0.0, false), (near_0, true), (1.0, false)];
        check(&shares, |check, value| check.inner_share("b", value));
        let numbers = [
            (0.0, true),
            (-near_0, false),
            (f64::INFINITY, false),
            (f64::NAN, false),
        ];
        check(&numbers, |check, value| check.not_negative("b", value));
        let numbers = [(0.0, false), (near_0, true), (f64::INFINITY, false)];
        check(&numbers, |check, value| check.positive("b", value));
        let times = [
            (0.0, true),
            (DAY_MS, true),
            (DAY_MS + 1.0, false),
            (-1.0, false),
        ];
        check(&times, |check, value| check.ms("b", value));
        let times = [(0.0, false), (DAY_MS, true), (DAY_MS + 1.0, false)];
        check(&times, |check, value| check.ms_above_0("b", value));
        let counts = [(0, false), (1, true), (2, true)];
        check(&counts, |check, value| check.at_least("b", value, 1));
        check(&[(2, true), (3, false)], |check, value| {
            check.at_most("b", value, 2);
        });
        let counts = [(1, false), (2, true), (4, true), (5, false)];
        check(&counts, |check, value| check.between("b", value, 2, 4));
        check(&[(2, true), (3, false)], |check, value| {
            check.one_of("b", value, &[2, 4]);
        });
        check(&[(f64::NAN, false)], |check, value| {
            check.between("b", value, 0.0, 1.0);
        });
    }
}
