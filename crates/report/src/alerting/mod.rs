//! Alerts derived from the thresholds of a run, and their behaviour during it (N-10).
//!
//! A judgement on a figure that is known for each second of a test, and that does not follow from the offered load,
//! gives an alert: the figure is beyond its bound for [`FOR_S`]. The alerts are written as rules for Prometheus, with
//! unit tests from the run's own seconds, and are evaluated here like in Prometheus. Bounds on failures also give
//! burn-rate alerts.

mod burn;
mod figure;
mod question;
mod replay;
mod rules;
mod series;
mod unit_tests;

pub use burn::{Burn, burns};
pub use figure::{Figure, MetricFigure};
pub use question::Operator;
pub use replay::{Fired, KEY, Missing, Replay, Replayed, recorded, replay};
pub use rules::rules;
pub use unit_tests::unit_tests;

use crate::record::TestRecord;

/// The time for which a figure has to be beyond its bound, in seconds.
pub const FOR_S: u32 = 5;
/// Names of the two files; the second one refers to the first.
pub const RULES: &str = "alerts.rules.yml";
pub const TESTS: &str = "alerts.test.yml";

/// One alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Unique within the run if the tests' titles are: `LoadP95High`.
    pub name: String,
    pub figure: Figure,
    /// The relation of figure and bound at which it fires.
    pub operator: Operator,
    pub bound: f64,
    /// The ids of the judgements from which it is derived.
    pub judgements: Vec<String>,
}

/// The alerts of a test, and the ids of the judgements that cannot be expressed as alerts.
pub fn alerts(test: &TestRecord) -> (Vec<Alert>, Vec<String>) {
    let (mut alerts, mut without) = (Vec::<Alert>::new(), Vec::new());
    for judgement in &test.judgements {
        let asked = question::read(test, judgement).zip(judgement.bound);
        let Some(((figure, operator), bound)) = asked else {
            without.push(judgement.id.clone());
            continue;
        };
        let same = |alert: &&mut Alert| {
            alert.figure == figure && alert.operator == operator && alert.bound == bound
        };
        if let Some(known) = alerts.iter_mut().find(same) {
            known.judgements.push(judgement.id.clone());
            continue;
        }
        let wanted = name(test, &figure, operator);
        let taken = alerts
            .iter()
            .filter(|known| known.name.starts_with(&wanted));
        let name = match taken.count() {
            0 => wanted,
            several => format!("{wanted}{}", several + 1),
        };
        alerts.push(Alert {
            name,
            figure,
            operator,
            bound,
            judgements: vec![judgement.id.clone()],
        });
    }
    (alerts, without)
}

/// The test's title and the figure, in letters and digits.
fn name(test: &TestRecord, figure: &Figure, operator: Operator) -> String {
    let mut name = figure::camel(&test.title());
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        name.insert_str(0, "Test");
    }
    let side = if operator.is_above() { "High" } else { "Low" };
    format!("{name}{}{side}", figure.word())
}

impl Alert {
    /// Whether a value is beyond the bound.
    pub fn is_bad(&self, value: f64) -> bool {
        match self.operator {
            Operator::Above => value > self.bound,
            Operator::AtLeast => value >= self.bound,
            Operator::Below => value < self.bound,
            Operator::AtMost => value <= self.bound,
        }
    }

    /// `p95 >= 2000 ms`.
    pub fn condition(&self) -> String {
        let unit = match self.figure.unit() {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        format!(
            "{} {} {}{unit}",
            self.figure.text(),
            self.operator.sign(),
            self.bound
        )
    }
}
