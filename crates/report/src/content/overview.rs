//! All tests of a run in one table.

use super::Limits;
use crate::chart::spark;
use crate::escape::clipped;
use crate::number::{DASH, count, figure, or_dash, percent, seconds};
use crate::record::{Conclusion, Outcome, RunRecord, TestRecord};
use crate::table::{Cell, Table};

/// One row per test, in the order of execution.
pub fn tests(run: &RunRecord, limits: &Limits) -> Table {
    let mut table = Table::new(
        "Tests",
        &[
            "test",
            "outcome",
            "#requests",
            "#requests/s",
            "#failed",
            "#p50 ms",
            "#p95 ms",
            "#p99 ms",
            "requests/s over time",
            "#length",
        ],
    );
    table.folded = run.tests.len().saturating_sub(limits.overview);
    table.folded_name = "tests";
    for test in run.tests.iter().take(limits.overview) {
        table.row(row(test, limits));
    }
    table
}

fn row(test: &TestRecord, limits: &Limits) -> Vec<Cell> {
    let figures = &test.figures;
    let percentile = |key| or_dash(figures.percentile(key), figure).into();
    let rate = figures.error_rate();
    let failed = or_dash(rate, percent);
    let (word, mark) = outcome(test.outcome);
    let series: Vec<Option<f64>> = test
        .seconds
        .iter()
        .map(|second| Some(second.requests as f64))
        .collect();
    let drawing = Some(spark(&series)).filter(|svg| !svg.is_empty());
    vec![
        clipped(&test.title(), limits.text).into(),
        Cell::marked(word, mark),
        count(figures.requests).into(),
        or_dash(figures.requests_per_s, figure).into(),
        if rate.is_some_and(|rate| rate > 0.0) {
            Cell::marked(failed, "bad")
        } else {
            failed.into()
        },
        percentile("p50"),
        percentile("p95"),
        percentile("p99"),
        Cell {
            text: if drawing.is_some() {
                String::new()
            } else {
                DASH.to_owned()
            },
            mark: None,
            drawing,
        },
        seconds(test.duration_s).into(),
    ]
}

/// The words and the mark of an outcome.
pub fn outcome(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Passed => ("✓ passed", "good"),
        Outcome::Regression => ("✕ regression", "bad"),
        Outcome::Inconclusive => ("? inconclusive", "warn"),
        Outcome::ThresholdsCrossed => ("✕ failed", "bad"),
        Outcome::Untrusted => ("✕ untrusted", "bad"),
        Outcome::Interrupted => ("✕ interrupted", "bad"),
        Outcome::Usage => ("✕ usage error", "bad"),
        Outcome::Internal => ("✕ internal error", "bad"),
        Outcome::Running => ("… running, not judged yet", "quiet"),
    }
}

/// The verdict in one sentence.
pub fn sentence(run: &RunRecord) -> String {
    let tests = run.tests.len();
    let passed = run
        .tests
        .iter()
        .filter(|test| test.outcome == Outcome::Passed)
        .count();
    let of = match (tests, passed) {
        (0, _) => "No test ran".to_owned(),
        (1, _) if runs(run) => "The test is running and not judged yet".to_owned(),
        (all, passed) if runs(run) => {
            format!("The run is not over: {passed} of {all} tests passed so far")
        }
        (1, 1) => "The test passed".to_owned(),
        (1, _) => "The test did not pass".to_owned(),
        (all, passed) if all == passed => format!("All {all} tests passed"),
        (all, passed) => format!("{passed} of {all} tests passed"),
    };
    let of = match run.not_run.len() {
        0 => of,
        // A ratio of the executed tests would be mistaken for one of the plan.
        left if tests > 0 => format!(
            "{passed} of {} planned tests passed, {left} did not run",
            tests + left
        ),
        left => format!("None of {left} planned tests ran"),
    };
    let requests: u64 = run.tests.iter().map(|test| test.figures.requests).sum();
    let failures: u64 = run.tests.iter().map(|test| test.figures.failures).sum();
    let failed = match failures {
        0 => "none failed".to_owned(),
        failures => format!("{} failed", count(failures)),
    };
    let requests = match requests {
        0 => "without a request".to_owned(),
        1 => format!("with 1 request, {failed}"),
        n => format!("with {} requests, {failed}", count(n)),
    };
    format!("{of}, {requests}, in {}.", seconds(span_s(run)))
}

/// Whether a test of the run is in progress, or will follow.
fn runs(run: &RunRecord) -> bool {
    let is_running = |outcome| outcome == Outcome::Running;
    is_running(run.outcome) || run.tests.iter().any(|test| is_running(test.outcome))
}

/// The length of the only test, or of a run of several, in seconds.
pub fn span_s(run: &RunRecord) -> f64 {
    match run.tests.as_slice() {
        [test] => test.duration_s,
        _ => run.duration_s,
    }
}

/// The reasons of the verdict with their tests, worst tests first.
pub fn reasons(run: &RunRecord, limits: &Limits) -> Vec<String> {
    let mut tests: Vec<&TestRecord> = run.tests.iter().collect();
    tests.sort_by_key(|test| {
        let worst = test.outcome.worst(Outcome::Passed);
        (
            worst == Outcome::Passed,
            worst.exit_code() != run.outcome.exit_code(),
        )
    });
    let mut reasons = Vec::new();
    let is_said = |why: &String| run.tests.iter().any(|test| test.reasons.contains(why));
    if let Some(why) = run.incomplete_because.as_ref().filter(|why| !is_said(why)) {
        reasons.push(format!("The run is not complete: {why}"));
    }
    if !run.not_run.is_empty() {
        let titles = clipped(&run.not_run.join(", "), limits.text);
        reasons.push(format!("Did not run: {titles}"));
    }
    let several = run.tests.len() > 1;
    for test in tests {
        for reason in &test.reasons {
            let reason = clipped(reason, limits.text);
            reasons.push(if several {
                format!("{}: {reason}", test.title())
            } else {
                reason
            });
        }
    }
    reasons
}

/// The worst conclusion of all ledgers; `None` without any.
pub fn validity(run: &RunRecord) -> Option<Conclusion> {
    let entries = run.tests.iter().flat_map(|test| &test.ledger);
    entries.map(|entry| entry.conclusion).max()
}
