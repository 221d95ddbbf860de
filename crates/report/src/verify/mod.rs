//! Recomputes every number of a record that can be recomputed.
//!
//! The record is compared with the one computed from its evidence ([`compare`]), number by number; with itself
//! (totals with phases, seconds and endpoints, standings with bounds, outcomes with judgements); and with the files
//! beside it: samples, histogram logs, and derived files. A number that differs is reported with its path.

mod arithmetic;
mod artefacts;
mod judgements;
mod ladder;
mod logs;
mod tree;

use std::fmt::Display;

use crate::record::{Outcome, RunRecord};

pub use tree::compare;

/// A number that differs from its expected value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Such as `tests[0].phases[1].figures.requests`.
    pub path: String,
    pub text: String,
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Number of comparisons.
    pub checked: usize,
    /// Number of values that were computed again from the measurements.
    pub computed: usize,
    /// Number of values that were compared with the recorded observations.
    pub observed: usize,
    pub errors: Vec<Mismatch>,
    /// The parts that could not be checked, with the reasons.
    pub remarks: Vec<String>,
}

/// Verifies a record; `file` returns the content of a file of the run's folder.
pub fn verify(run: &RunRecord, file: &dyn Fn(&str) -> Option<Vec<u8>>) -> Verified {
    let mut verified = Verified::default();
    for (at, test) in run.tests.iter().enumerate() {
        let path = format!("tests[{at}]");
        arithmetic::test(test, &path, &mut verified);
        judgements::test(test, &path, &mut verified);
        ladder::test(test, &path, &mut verified);
    }
    let worst = run
        .tests
        .iter()
        .fold(Outcome::Passed, |worst, test| worst.worst(test.outcome));
    let is_worse = run.outcome.worst(worst) == run.outcome;
    verified.holds("outcome", is_worse, || {
        format!("is {:?}, but a test had {worst:?}", run.outcome)
    });
    tree::sums(run, file, &mut verified);
    artefacts::plan(run, file, &mut verified);
    artefacts::samples(run, file, &mut verified);
    logs::all(run, file, &mut verified);
    artefacts::rendered(run, file, &mut verified);
    verified
}

impl Verified {
    pub fn is_sound(&self) -> bool {
        self.errors.is_empty()
    }

    /// Adds the result of another verification of the same run. A path is listed once.
    pub fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.computed += other.computed;
        self.observed += other.observed;
        for fault in other.errors {
            if !self.errors.iter().any(|known| known.path == fault.path) {
                self.errors.push(fault);
            }
        }
        self.remarks.extend(other.remarks);
    }

    fn holds(&mut self, path: &str, holds: bool, text: impl FnOnce() -> String) {
        self.checked += 1;
        if !holds {
            self.errors.push(Mismatch {
                path: path.to_owned(),
                text: text(),
            });
        }
    }

    /// Checks that two counts are equal.
    fn equal<T: PartialEq + Display>(&mut self, path: &str, recorded: T, computed: T, from: &str) {
        let holds = recorded == computed;
        self.holds(path, holds, || {
            format!("is {recorded}, but {computed} by {from}")
        });
    }

    /// Checks that a figure equals the computed one within its tolerance.
    fn close(&mut self, path: &str, recorded: f64, computed: &Computed<'_>) {
        let Computed { value, slack, from } = *computed;
        let scale = recorded.abs().max(value.abs()).max(1e-12);
        let holds = (recorded - value).abs() <= slack * scale;
        self.holds(path, holds, || {
            format!("is {recorded}, but {value} by {from}")
        });
    }
}

/// A figure computed from other parts of the record.
struct Computed<'a> {
    value: f64,
    /// The permitted relative difference.
    slack: f64,
    /// The source of the computation, for messages.
    from: &'a str,
}
