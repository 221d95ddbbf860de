//! A run as Markdown.

use std::fmt::Write as _;

use crate::content::{
    Limits, alerts, events, judged, ladder, measured, method, overview, prometheus,
};
use crate::escape::{clipped, markdown as escape};
use crate::record::{RunRecord, TestRecord};
use crate::table::Table;

/// The verdict with its reasons, and the tables of each test.
pub fn markdown(run: &RunRecord) -> String {
    let limits = &Limits::LEVELS[2];
    let mut text = format!(
        "# {}: {}\n\n{}\n",
        escape(&run.suite),
        run.outcome.word(),
        escape(&overview::sentence(run))
    );
    let reasons = overview::reasons(run, limits);
    if !reasons.is_empty() {
        text.push('\n');
    }
    for reason in reasons.iter().take(limits.entries) {
        let _ = writeln!(text, "- {}", escape(reason));
    }
    if run.tests.len() > 1 {
        let _ = write!(
            text,
            "\n## All tests\n\n{}",
            overview::tests(run, limits).to_markdown()
        );
    }
    for test in run.tests.iter().take(4 * limits.tests) {
        section(test, limits, &mut text);
    }
    let _ = write!(
        text,
        "\n## How it was measured\n\n{}",
        method::table(run).to_markdown()
    );
    text
}

fn section(test: &TestRecord, limits: &Limits, text: &mut String) {
    let (word, _) = overview::outcome(test.outcome);
    let _ = writeln!(
        text,
        "\n## {} {word}",
        escape(&clipped(&test.title(), limits.text))
    );
    part(text, "Requirements", &judged::judgements(test, limits));
    part(text, "Phases", &measured::phases(test));
    part(text, "Endpoints", &measured::endpoints(test, limits));
    part(text, "Errors", &measured::errors(test, limits));
    part(text, "Checks", &measured::checks(test, limits));
    part(text, "Exceptions", &measured::exceptions(test, limits));
    if let Some(ladder) = ladder::analyse(test) {
        text.push_str("\n### Ladder and capacity\n\n");
        for sentence in ladder.sentences() {
            let _ = writeln!(text, "{}\n", escape(&sentence));
        }
        text.push_str(&ladder.estimates_table().to_markdown());
        text.push('\n');
        text.push_str(&ladder.steps_table().to_markdown());
    }
    part(text, "Beside Prometheus", &prometheus::table(test, limits));
    part(text, "Faults and reactions", &events::table(test, limits));
    part(text, "Alerts, replayed", &alerts::table(test, limits));
    let findings = judged::findings(test);
    if !findings.is_empty() {
        text.push_str("\n### Recommendations\n\n");
    }
    for finding in findings.iter().take(limits.entries) {
        let _ = writeln!(
            text,
            "- **{}**: {} {} (`{}`)",
            judged::severity(finding.severity).0,
            escape(&clipped(&finding.text, limits.text)),
            escape(&clipped(&finding.action, limits.text)),
            finding.id.replace('`', "'")
        );
    }
    part(text, "Estimates and truth", &judged::truths(test, limits));
    part(
        text,
        "Validity of the measurement",
        &judged::ledger(test, limits),
    );
}

fn part(text: &mut String, title: &str, table: &Table) {
    if !table.is_empty() {
        let _ = write!(text, "\n### {title}\n\n{}", table.to_markdown());
    }
}
