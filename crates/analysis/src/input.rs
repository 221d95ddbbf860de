//! Errors of invalid input, and the checks that return them.

use thiserror::Error;

/// The reason why an input cannot be analysed. No function of this crate panics on its input.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum InputError {
    #[error("{what}: no values")]
    Empty { what: &'static str },
    #[error("{what}: {have} values; at least {need} are needed")]
    TooFew {
        what: &'static str,
        have: usize,
        need: usize,
    },
    #[error("{have} different {what}; at least {need} are needed")]
    TooFewDifferent {
        what: &'static str,
        have: usize,
        need: usize,
    },
    #[error("{what}: value {index} is {value}; only finite numbers are allowed")]
    NotFinite {
        what: &'static str,
        /// Counted from 0.
        index: usize,
        value: f64,
    },
    #[error("{what}: all values are {value}; a fit needs different values")]
    Constant { what: &'static str, value: f64 },
    #[error("{what} is {value}; it must be {expected}")]
    OutOfRange {
        what: &'static str,
        value: f64,
        expected: &'static str,
    },
    #[error("{left}: {left_len} values, {right}: {right_len}; the numbers must be equal")]
    NotPaired {
        left: &'static str,
        left_len: usize,
        right: &'static str,
        right_len: usize,
    },
}

/// At least `need` values, all of them finite.
pub(crate) fn finite(what: &'static str, values: &[f64], need: usize) -> Result<(), InputError> {
    if values.is_empty() {
        return Err(InputError::Empty { what });
    }
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        let value = values[index];
        return Err(InputError::NotFinite { what, index, value });
    }
    if values.len() < need {
        let have = values.len();
        return Err(InputError::TooFew { what, have, need });
    }
    Ok(())
}

/// A series and its name in messages.
#[derive(Clone, Copy)]
pub(crate) struct Series<'a> {
    what: &'static str,
    values: &'a [f64],
}

pub(crate) fn series<'a>(what: &'static str, values: &'a [f64]) -> Series<'a> {
    Series { what, values }
}

/// Two finite series of the same length.
pub(crate) fn paired(left: Series<'_>, right: Series<'_>, need: usize) -> Result<(), InputError> {
    if left.values.len() != right.values.len() {
        return Err(InputError::NotPaired {
            left: left.what,
            left_len: left.values.len(),
            right: right.what,
            right_len: right.values.len(),
        });
    }
    finite(left.what, left.values, need)?;
    finite(right.what, right.values, need)
}

/// A number strictly between 0 and 1: a confidence, a level, a power, a quantile.
pub(crate) fn open_unit(what: &'static str, value: f64) -> Result<(), InputError> {
    holds(
        what,
        value,
        value > 0.0 && value < 1.0,
        "between 0 and 1, both excluded",
    )
}

pub(crate) fn positive(what: &'static str, value: f64) -> Result<(), InputError> {
    holds(
        what,
        value,
        value.is_finite() && value > 0.0,
        "a finite number above 0",
    )
}

pub(crate) fn not_negative(what: &'static str, value: f64) -> Result<(), InputError> {
    holds(
        what,
        value,
        value.is_finite() && value >= 0.0,
        "a finite number of at least 0",
    )
}

pub(crate) fn holds(
    what: &'static str,
    value: f64,
    condition: bool,
    expected: &'static str,
) -> Result<(), InputError> {
    if condition {
        Ok(())
    } else {
        Err(InputError::OutOfRange {
            what,
            value,
            expected,
        })
    }
}
