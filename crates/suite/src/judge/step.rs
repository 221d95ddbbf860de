//! Single steps: the end of a ladder, the level of a search. The runner evaluates them during the test,
//! the judgement evaluates them on the record, with the same result.

use analysis::threshold::Limit;
use report::record::{LoadModel, PhaseKind, PhaseRecord, Standing, TestRecord};

use super::expression::{self, Bound};
use super::figure::Figure;
use super::grades;
use super::window::{self, Window};
use crate::file::{GradeName, Judge, SuiteFile};
use crate::plan::PlannedTest;

/// An open step that drops a larger share of its arrivals than this does not sustain its rate.
const MOST_DROPPED: f64 = 0.01;
/// The ladder ends when a rule is met in this number of consecutive steps (S-12).
const IN_A_ROW: u32 = 2;

/// The result of a step of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    Passed,
    Failed(String),
    /// The generator did not send the load of the step.
    GeneratorLimited(String),
    /// Not even flawless responses would prove anything: there are too few, and even fewer at lower levels.
    TooFew(String),
}

/// Whether a step of a search meets the requirements on each level. An undecided step has failed, because a
/// capacity must be proved. `limited` is the reason why the generator did not follow its plan, if any: it
/// makes a pass inconclusive, but does not excuse a failure.
pub fn tried(
    test: &PlannedTest,
    file: &SuiteFile,
    record: &TestRecord,
    phase: &PhaseRecord,
    limited: Option<String>,
) -> Tried {
    let p95 = phase.figures.percentile("p95").unwrap_or_default();
    let failures = phase.figures.error_rate().unwrap_or_default() * 100.0;
    let seen = format!("p95 {p95:.0} ms, {failures:.1} % failed");
    match holds(test, file, record, phase) {
        Standing::Held | Standing::Reported => {}
        Standing::NoData => return Tried::Failed("no request was answered".to_owned()),
        Standing::Inconclusive => {
            let requests = phase.figures.requests;
            let mut asked = asked(&test.judge, file).into_iter();
            let is_open = asked.all(|(figure, bound)| figure.can_be_proved(requests, bound));
            return if is_open {
                Tried::Failed(format!("not proved to hold: {seen}"))
            } else {
                Tried::TooFew(format!(
                    "{requests} requests are too few to prove it: {seen}"
                ))
            };
        }
        Standing::Crossed => return Tried::Failed(seen),
    }
    if let Some(why) = limited {
        return Tried::GeneratorLimited(why);
    }
    let dropped = dropped(test, record, phase);
    if dropped > MOST_DROPPED {
        let share = dropped * 100.0;
        return Tried::Failed(format!("{share:.1} % of the arrivals found no free user"));
    }
    Tried::Passed
}

/// The share of an open step's arrivals that found no free user.
fn dropped(test: &PlannedTest, record: &TestRecord, phase: &PhaseRecord) -> f64 {
    if test.model != LoadModel::Open {
        return 0.0;
    }
    let seconds = window::of(test, record, phase).seconds;
    let dropped: u64 = seconds.iter().map(|it| it.dropped_iterations).sum();
    let sent: u64 = seconds.iter().map(|it| it.requests).sum();
    dropped as f64 / (dropped + sent).max(1) as f64
}

/// Grades, rows, and the thresholds on HTTP requests; [`Standing::NoData`] if there was no request or no
/// requirement.
fn holds(
    test: &PlannedTest,
    file: &SuiteFile,
    record: &TestRecord,
    phase: &PhaseRecord,
) -> Standing {
    let window = window::of(test, record, phase);
    if phase.figures.requests == 0 {
        return Standing::NoData;
    }
    let asked = asked(&test.judge, file);
    let standings = asked
        .into_iter()
        .map(|(figure, bound)| figure.decide(&window, bound).standing);
    standings.reduce(worst).unwrap_or(Standing::NoData)
}

/// A ladder's `until`, step by step.
pub struct Until<'a> {
    test: &'a PlannedTest,
    file: &'a SuiteFile,
    in_a_row: u32,
}

/// A step at which a condition of `until` is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// The condition, with the figure that meets it.
    pub rule: String,
    /// It was met in two consecutive steps: the ladder ends.
    pub ends: bool,
}

impl<'a> Until<'a> {
    pub fn new(test: &'a PlannedTest, file: &'a SuiteFile) -> Self {
        Self {
            test,
            file,
            in_a_row: 0,
        }
    }

    /// Evaluates the next step, if its phase is over. The final step back of a ladder is not evaluated.
    pub fn step(&mut self, record: &TestRecord, phase: &PhaseRecord) -> Option<Met> {
        let is_step = phase.kind == PhaseKind::Steady && !is_back(&phase.name);
        if !is_step || self.test.until.is_empty() {
            return None;
        }
        let Some(rule) = until(self.test, self.file, record, phase) else {
            self.in_a_row = 0;
            return None;
        };
        self.in_a_row += 1;
        let ends = self.in_a_row == IN_A_ROW;
        Some(Met { rule, ends })
    }
}

/// Whether the phase is a ladder's final step back.
pub fn is_back(name: &str) -> bool {
    name.starts_with("back to ")
}

/// The step at which the ladder of a record ended by its rule.
pub(super) fn ended_at<'a>(
    test: &PlannedTest,
    file: &SuiteFile,
    record: &'a TestRecord,
) -> Option<&'a str> {
    let mut rule = Until::new(test, file);
    let steps = record.phases.iter().filter(|phase| phase.judged);
    let mut ends = steps.filter(|phase| rule.step(record, phase).is_some_and(|met| met.ends));
    ends.next().map(|phase| phase.name.as_str())
}

/// The condition met by a step, in words. A condition is a grade (`poor`: a figure has this grade or a worse
/// one) or an expression. Throughput is not graded here, because few users cannot produce much.
fn until(
    test: &PlannedTest,
    file: &SuiteFile,
    record: &TestRecord,
    phase: &PhaseRecord,
) -> Option<String> {
    let window = window::of(test, record, phase);
    if phase.figures.requests == 0 {
        return Some("no request was answered".to_owned());
    }
    test.until.iter().find_map(|condition| {
        let met = match grade_named(condition) {
            Some(grade) => graded(file, &window, grade),
            None => expressed(&window, condition),
        };
        met.map(|text| format!("{condition}: {text}"))
    })
}

/// Whether a ladder can end by the condition.
pub(super) fn is_condition(condition: &str) -> bool {
    let of_figure = || {
        let (name, _) = expression::split(condition)?;
        Figure::named(name)
    };
    grade_named(condition).is_some() || of_figure().is_some()
}

fn grade_named(name: &str) -> Option<GradeName> {
    Some(match name {
        "excellent" => GradeName::Excellent,
        "target" => GradeName::Target,
        "acceptable" => GradeName::Acceptable,
        "poor" => GradeName::Poor,
        _ => return None,
    })
}

/// The first figure that is not better than the grade.
fn graded(file: &SuiteFile, window: &Window<'_>, grade: GradeName) -> Option<String> {
    file.grades.iter().find_map(|(figure, bounds)| {
        let measure = Figure::from(*figure);
        if measure.is_throughput() {
            return None;
        }
        let value = measure.value(window)?;
        let better = match grade {
            GradeName::Excellent => return None,
            GradeName::Target => grades::required(*figure, bounds, GradeName::Excellent),
            GradeName::Acceptable => grades::required(*figure, bounds, GradeName::Target),
            GradeName::Poor => {
                bounds.poor?;
                grades::required(*figure, bounds, GradeName::Poor)
            }
        }?;
        let is_met = !better.is_kept_by(value);
        is_met.then(|| format!("{} is {}", figure.name(), super::verdict::number(value)))
    })
}

fn expressed(window: &Window<'_>, condition: &str) -> Option<String> {
    let (name, bound) = expression::split(condition)?;
    let value = Figure::named(name)?.value(window)?;
    bound
        .is_kept_by(value)
        .then(|| format!("{name} is {}", super::verdict::number(value)))
}

/// The requirements on each level of a search.
pub(super) fn asked(judge: &Judge, file: &SuiteFile) -> Vec<(Figure, Bound)> {
    let mut asked = Vec::new();
    if let Some(grade) = judge.grades {
        let graded = file.grades.iter().filter_map(|(figure, bounds)| {
            let measure = Figure::from(*figure);
            let bound = grades::required(*figure, bounds, grade)?;
            (!measure.is_throughput()).then_some((measure, bound))
        });
        asked.extend(graded);
    }
    for (name, expression) in &judge.rows {
        let bound = expression::split(expression).map(|(_, bound)| bound);
        asked.extend(Figure::named(name).zip(bound));
    }
    for (metric, expressions) in &judge.thresholds {
        for (aggregate, bound) in expressions.iter().filter_map(|it| expression::split(it)) {
            asked.extend(of_requests(metric, aggregate).zip(Some(bound)));
        }
    }
    if asked.is_empty() {
        // A search without any condition still needs a criterion for too much load.
        asked.push((Figure::SuccessRate, Bound::Limit(Limit::at_least(0.95))));
    }
    asked
}

/// The figure of a phase that corresponds to a metric of the scripts: times and failures of requests.
fn of_requests(metric: &str, aggregate: &str) -> Option<Figure> {
    if metric.ends_with("_success") && aggregate == "rate" {
        return Some(Figure::SuccessRate);
    }
    if metric == "http_req_failed" && aggregate == "rate" {
        return Some(Figure::ErrorRate);
    }
    if !metric.ends_with("_duration") {
        return None;
    }
    match aggregate {
        "avg" => Figure::named("avg_ms"),
        "med" | "p(50)" => Figure::named("p50_ms"),
        "p(90)" => Figure::named("p90_ms"),
        "p(95)" => Figure::named("p95_ms"),
        "p(99)" => Figure::named("p99_ms"),
        _ => None,
    }
}

/// The worse of two results.
pub(super) fn worst(one: Standing, other: Standing) -> Standing {
    let rank = |standing| match standing {
        Standing::NoData => 0,
        Standing::Crossed => 1,
        Standing::Inconclusive => 2,
        Standing::Held => 3,
        Standing::Reported => 4,
    };
    if rank(other) < rank(one) { other } else { one }
}
