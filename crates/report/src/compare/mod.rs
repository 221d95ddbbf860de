//! Compares two runs: whether the second one is worse, by how much, and which change this pair could have
//! detected.
//!
//! A figure is a regression if the test shows that it is worse by more than chance *and* it is worse by the tolerance
//! or more: by its estimate, or by its interval if the pair is precise enough to detect the tolerance. "No regression"
//! is reported only if a change as large as the tolerance would have been detected.

mod endpoints;
mod json;
mod markdown;
mod samples;
mod summary;
pub mod testbed;

pub use json::json;
pub use markdown::{markdown, pull_request};
pub use summary::{Summary, SummaryComparison, summaries};

use analysis::Interval;
use analysis::adjustment::benjamini_hochberg;
use analysis::canary::{self, Class};
use analysis::comparison::{self, Plan, Worse};

use crate::record::{Conclusion, Outcome, RunRecord, TestRecord};

/// Options of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The relevant relative change; 0.2 is 20 %.
    pub tolerance: f64,
    pub confidence: f64,
    /// Also compare runs of different testbeds or plans.
    pub force: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tolerance: 0.2,
            confidence: 0.95,
            force: false,
        }
    }
}

impl Options {
    /// The plan for figures that are worse when they are smaller, or larger.
    fn plan(&self, smaller_is_worse: bool) -> Plan {
        Plan {
            worse: if smaller_is_worse {
                Worse::Smaller
            } else {
                Worse::Larger
            },
            confidence: self.confidence,
            tolerance: self.tolerance,
            ..Plan::default()
        }
    }
}

/// The reason why two runs are not compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the runs cannot be compared: {}; use --force to compare them anyway", differences.join("; "))]
pub struct Refused {
    pub differences: Vec<String>,
}

/// The result for one figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Worse by the tolerance or more, or not provably by less, and not by chance.
    Regression,
    /// Worse, not by chance, and by less than the tolerance.
    Worse,
    /// A change as large as the tolerance would have been detected, and is excluded.
    NoRegression,
    Improvement,
    Inconclusive,
}

/// A figure of both runs. Relative numbers are shares of the baseline, positive when it grew.
#[derive(Debug, Clone, PartialEq)]
pub struct FigureComparison {
    /// `p95`, `throughput`, …; for endpoints `mean`.
    pub figure: &'static str,
    pub unit: &'static str,
    pub baseline: Option<f64>,
    pub candidate: Option<f64>,
    pub relative: Option<f64>,
    pub interval: Option<[f64; 2]>,
    /// Adjusted by Benjamini and Hochberg over all figures of its kind.
    pub p_value: Option<f64>,
    /// The test of the p value, and the number of its values.
    pub test: String,
    /// The probability that a value of the candidate is the larger one; 0.5 is no effect.
    pub superiority: Option<f64>,
    pub magnitude: Option<&'static str>,
    /// The smallest relative change that this pair would have detected with a probability of 0.8.
    pub minimal_detectable: Option<f64>,
    /// Number of values per side that would detect the tolerance.
    pub needs_per_side: Option<u64>,
    pub change: Change,
    /// The reason why it is inconclusive, if no figure states it.
    pub note: Option<String>,
    /// Kayenta's class, from the same values as the test; `NoData` without values.
    pub canary: Class,
    smaller_is_worse: bool,
    decides: bool,
}

/// One endpoint of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointComparison {
    pub method: String,
    pub name: String,
    pub class: Option<String>,
    pub line: FigureComparison,
}

/// A test that both runs have.
#[derive(Debug, Clone, PartialEq)]
pub struct TestComparison {
    pub title: String,
    pub lines: Vec<FigureComparison>,
    pub endpoints: Vec<EndpointComparison>,
}

/// The comparison of two runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    pub baseline: String,
    pub candidate: String,
    pub options: Options,
    /// How both runs compute percentiles; if they differ and are compared nevertheless, both methods.
    pub percentile_method: String,
    /// `Passed`, `Regression` or `Inconclusive`.
    pub outcome: Outcome,
    pub tests: Vec<TestComparison>,
    /// Notes for the reader: overridden differences, tests that only one run has.
    pub notes: Vec<String>,
}

/// Compares `candidate` with `baseline`.
///
/// # Errors
/// The testbeds, the plans or the targets differ, and `options.force` is not set.
pub fn compare(
    baseline: &RunRecord,
    candidate: &RunRecord,
    options: &Options,
) -> Result<Compared, Refused> {
    let differences = testbed::differences(baseline, candidate);
    if !differences.is_empty() && !options.force {
        return Err(Refused { differences });
    }
    let mut notes: Vec<String> = differences
        .into_iter()
        .map(|difference| format!("Compared despite a difference: {difference}."))
        .collect();
    notes.extend(testbed::remarks(baseline, candidate));
    let mut tests = Vec::new();
    for before in &baseline.tests {
        let title = before.title();
        match candidate.tests.iter().find(|test| test.title() == title) {
            Some(after) => tests.push(test(title, before, after, options)),
            None => notes.push(format!("{title} ran in the baseline only.")),
        }
    }
    let is_known = |title: &str| baseline.tests.iter().any(|test| test.title() == title);
    let only_candidate = candidate
        .tests
        .iter()
        .map(TestRecord::title)
        .filter(|title| !is_known(title));
    notes.extend(only_candidate.map(|title| format!("{title} ran in the candidate only.")));
    adjust(&mut tests, options);
    let mut compared = Compared {
        baseline: baseline.run.clone(),
        candidate: candidate.run.clone(),
        options: *options,
        percentile_method: match [&baseline.percentile_method, &candidate.percentile_method] {
            [a, b] if a == b => a.clone(),
            [a, b] => format!("{a} against {b}"),
        },
        outcome: outcome(&tests),
        tests,
        notes,
    };
    for (run, name) in [(baseline, "baseline"), (candidate, "candidate")] {
        compared.distrust(run, name);
    }
    Ok(compared)
}

fn test(
    title: String,
    before: &TestRecord,
    after: &TestRecord,
    options: &Options,
) -> TestComparison {
    let mut lines = samples::lines(before, after, options);
    lines.push(endpoints::error_rate(
        &before.figures,
        &after.figures,
        options,
    ));
    TestComparison {
        title,
        lines,
        endpoints: endpoints::lines(before, after, options),
    }
}

/// Adjusts the p values, separately for whole tests and for endpoints, and decides.
fn adjust(tests: &mut [TestComparison], options: &Options) {
    let mut wholes: Vec<&mut FigureComparison> = Vec::new();
    let mut endpoints: Vec<&mut FigureComparison> = Vec::new();
    for test in tests {
        wholes.extend(&mut test.lines);
        endpoints.extend(test.endpoints.iter_mut().map(|endpoint| &mut endpoint.line));
    }
    for mut family in [wholes, endpoints] {
        let raw: Vec<f64> = family.iter().filter_map(|line| line.p_value).collect();
        // Only p values outside 0 to 1 are rejected, and there are none.
        let adjusted = benjamini_hochberg(&raw).unwrap_or(raw);
        let tested = family.iter_mut().filter(|line| line.p_value.is_some());
        for (line, p_value) in tested.zip(adjusted) {
            line.p_value = Some(p_value);
            line.change = decide(line, options);
        }
    }
}

fn decide(line: &FigureComparison, options: &Options) -> Change {
    let (Some(p_value), Some(relative_shift)) = (line.p_value, line.relative) else {
        return Change::Inconclusive;
    };
    let [lower, upper] = line.interval.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
    let seen = comparison::Seen {
        relative_shift,
        relative_interval: Interval {
            lower,
            upper,
            confidence: options.confidence,
        },
        p_value,
        minimal_detectable: line.minimal_detectable,
    };
    match comparison::decide(&seen, &options.plan(line.smaller_is_worse)) {
        comparison::Outcome::Regression => Change::Regression,
        comparison::Outcome::WorseWithinTolerance => Change::Worse,
        comparison::Outcome::NoRegression => Change::NoRegression,
        comparison::Outcome::Improvement => Change::Improvement,
        comparison::Outcome::Inconclusive => Change::Inconclusive,
    }
}

/// A single regression decides; otherwise the deciding figures have to be certain.
fn outcome(tests: &[TestComparison]) -> Outcome {
    let lines = || tests.iter().flat_map(|test| &test.lines);
    let endpoints = tests
        .iter()
        .flat_map(|test| &test.endpoints)
        .map(|endpoint| &endpoint.line);
    if lines()
        .chain(endpoints)
        .any(|line| line.change == Change::Regression)
    {
        return Outcome::Regression;
    }
    let mut deciding = lines().filter(|line| line.decides).peekable();
    let nothing = deciding.peek().is_none();
    if nothing || deciding.any(|line| line.change == Change::Inconclusive) {
        Outcome::Inconclusive
    } else {
        Outcome::Passed
    }
}

impl TestComparison {
    /// The percentage of the figures that pass Kayenta's judge.
    pub fn canary_score(&self) -> Option<f64> {
        let classes: Vec<Class> = self.lines.iter().map(|line| line.canary).collect();
        canary::group_score(&classes)
    }
}

impl Compared {
    /// The mean of the tests' scores, which have equal weights.
    pub fn canary_score(&self) -> Option<f64> {
        let scores = self.tests.iter().filter_map(TestComparison::canary_score);
        let groups: Vec<(f64, f64)> = scores.map(|score| (score, 1.0)).collect();
        canary::summary_score(&groups).ok()?
    }

    /// An untrusted or incomplete run does not show that nothing is worse.
    fn distrust(&mut self, run: &RunRecord, name: &str) {
        let entries = run.tests.iter().flat_map(|test| &test.ledger);
        let is_invalid = entries
            .map(|entry| entry.conclusion)
            .any(|of| of == Conclusion::Invalid);
        if is_invalid {
            self.notes.push(format!(
                "The measurement of the {name} is not valid; see its ledger."
            ));
        }
        if !run.complete {
            self.notes.push(format!("The {name} is not complete."));
        }
        if (is_invalid || !run.complete) && self.outcome == Outcome::Passed {
            self.outcome = Outcome::Inconclusive;
        }
    }
}

impl Change {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Worse => "worse_within_tolerance",
            Self::NoRegression => "no_regression",
            Self::Improvement => "improvement",
            Self::Inconclusive => "inconclusive",
        }
    }
}
