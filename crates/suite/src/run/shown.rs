//! A record on a terminal: the verdict and its reasons, on one screen.

use std::fmt::Write;

use report::RunRecord;
use report::record::{
    Conclusion, Judgement, Outcome, Standing, Target, TestRecord, percentile_definition,
};

/// Maximum number of judgements and reasons of a test; the rest is counted.
const MOST_LINES: usize = 12;

/// The verdict of a run: reasons first, then each test with its figures.
pub fn text(record: &RunRecord) -> String {
    let mut text = String::new();
    let target = target(&record.target);
    for test in &record.tests {
        put_test(&mut text, test, &target);
    }
    for title in &record.not_run {
        let _ = writeln!(text, "verdict: NOT RUN  {title}");
    }
    if !record.is_decided_by_its_tests() {
        let _ = writeln!(text, "verdict: {}  the whole run", word(record.outcome));
    }
    let is_said = |why: &String| record.tests.iter().any(|test| test.reasons.contains(why));
    if let Some(why) = record
        .incomplete_because
        .as_ref()
        .filter(|why| !is_said(why))
    {
        let _ = writeln!(text, "  incomplete: {why}");
    }
    let is_measured = |test: &TestRecord| test.figures.latency.is_some();
    if record.tests.iter().any(is_measured) {
        let definition = percentile_definition(&record.percentile_method);
        let _ = writeln!(text, "percentiles: {definition}");
    }
    text
}

/// What was tested: the URL of a service, or what was started for the run.
fn target(target: &Target) -> String {
    match (target.simulated, target.name.as_str()) {
        (true, "orchestrator") => {
            "the orchestrator with mock detectors, started for this run".to_owned()
        }
        (true, name) => format!("the simulated system {name}, {}", target.base_url),
        (false, _) => target.base_url.clone(),
    }
}

/// The word of a verdict; an untrusted run has failed to show anything.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "PASSED",
        Outcome::ThresholdsCrossed => "FAILED",
        Outcome::Untrusted => "FAILED (untrusted)",
        other => other.word(),
    }
}

fn put_test(text: &mut String, test: &TestRecord, target: &str) {
    let _ = writeln!(text, "verdict: {}  {}", word(test.outcome), test.title());
    let _ = writeln!(text, "  target   {target}");
    let width = test
        .judgements
        .iter()
        .map(|judgement| subject(judgement).0.len());
    let width = width.max().unwrap_or_default();
    // The worst first, because the rest may not fit on the screen.
    let mut judgements: Vec<&Judgement> = test.judgements.iter().collect();
    judgements.sort_by_key(|judgement| place(judgement.standing));
    for judgement in judgements.iter().take(MOST_LINES) {
        put_judgement(text, judgement, width);
    }
    if let Some(more) = judgements
        .len()
        .checked_sub(MOST_LINES)
        .filter(|more| *more > 0)
    {
        let _ = writeln!(text, "  … and {more} more");
    }
    for entry in test
        .ledger
        .iter()
        .filter(|entry| entry.conclusion != Conclusion::Valid)
    {
        let mark = match entry.conclusion {
            Conclusion::Invalid => "invalid",
            Conclusion::Suspect | Conclusion::Valid => "suspect",
        };
        let _ = writeln!(text, "  {mark}  {}", entry.text);
    }
    let said_elsewhere = |reason: &&String| {
        let by_judgement = reason.starts_with("crossed ");
        !by_judgement && !test.ledger.iter().any(|entry| entry.text == **reason)
    };
    for reason in test.reasons.iter().filter(said_elsewhere).take(MOST_LINES) {
        let _ = writeln!(text, "  reason   {reason}");
    }
    let _ = writeln!(text, "  {}", figures(test));
}

const fn place(standing: Standing) -> u8 {
    match standing {
        Standing::Crossed => 0,
        Standing::NoData => 1,
        Standing::Inconclusive => 2,
        Standing::Held => 3,
        Standing::Reported => 4,
    }
}

/// Requirements, in two columns if they have two parts.
fn subject(judgement: &Judgement) -> (&str, &str) {
    judgement
        .asked
        .split_once("  ")
        .unwrap_or((&judgement.asked, ""))
}

fn put_judgement(text: &mut String, judgement: &Judgement, width: usize) {
    let mark = match judgement.standing {
        Standing::Held => "held   ",
        Standing::Crossed => "CROSSED",
        Standing::NoData => "NO DATA",
        Standing::Inconclusive => "UNCLEAR",
        Standing::Reported => "       ",
    };
    let (subject, bound) = subject(judgement);
    let _ = write!(text, "  {mark}  {subject:width$}  {bound}");
    if let Some(measured) = judgement.measured {
        let _ = write!(text, "  (measured {})", (measured * 1e4).round() / 1e4);
    }
    if let Some(proof) = judgement.proof() {
        let _ = write!(text, "  {proof}");
    } else if let Some(more) = judgement.needs_more {
        let noun = if more == 1 { "request" } else { "requests" };
        let _ = write!(text, "  ({more} more {noun} would decide it)");
    }
    text.push('\n');
}

fn figures(test: &TestRecord) -> String {
    let figures = &test.figures;
    let number = |value: Option<f64>, unit: &str| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}{unit}"))
    };
    format!(
        "{} requests in {:.1} s, {}/s, {} failed, p50 {}, p95 {}, p99 {}",
        figures.requests,
        test.duration_s,
        number(figures.requests_per_s, ""),
        number(figures.error_rate().map(|rate| rate * 100.0), " %"),
        number(figures.percentile("p50"), " ms"),
        number(figures.percentile("p95"), " ms"),
        number(figures.percentile("p99"), " ms"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_names_what_was_tested() {
        let of = |name: &str, simulated| {
            target(&Target {
                name: name.to_owned(),
                base_url: "http://127.0.0.1:1".to_owned(),
                simulated,
                revision: None,
            })
        };
        assert_eq!(of("http://127.0.0.1:1", false), "http://127.0.0.1:1");
        assert_eq!(
            of("acis", true),
            "the simulated system acis, http://127.0.0.1:1"
        );
        let embedded = "the orchestrator with mock detectors, started for this run";
        assert_eq!(of("orchestrator", true), embedded);
    }
}
