//! Compares summaries without seconds, such as the documents' JSON files: the 20 % rule without a test.

use serde_json::{Value, json};

use crate::number::{DASH, change, figure, or_dash};
use crate::record::{Outcome, RunRecord};
use crate::table::Table;
use crate::view;

/// The figures of a summary; times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Summary {
    pub p50_ms: Option<f64>,
    pub mean_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub throughput: Option<f64>,
    /// A ratio.
    pub error_rate: Option<f64>,
}

/// Two summaries compared by the rule.
#[derive(Debug, Clone, PartialEq)]
pub struct SummaryComparison {
    pub outcome: Outcome,
    pub lines: Vec<SummaryLine>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SummaryLine {
    pub figure: &'static str,
    pub baseline: Option<f64>,
    pub candidate: Option<f64>,
    /// The relative change; for the error rate, the difference.
    pub change: Option<f64>,
    pub is_regression: bool,
}

impl Summary {
    /// From a run: the same figures that the AIaaS view shows.
    pub fn of_run(run: &RunRecord) -> Self {
        Self::of_json(&view::summary_of(run)).unwrap_or_default()
    }

    /// From a JSON file: ACSO's results, AIaaS' summary or baseline. `None` for anything else.
    pub fn of_json(value: &Value) -> Option<Self> {
        let number = |pointer: &str| value.pointer(pointer).and_then(Value::as_f64);
        if value.get("latency").is_some() {
            return Some(Self {
                p50_ms: number("/latency/p50"),
                mean_ms: number("/latency/avg"),
                p95_ms: number("/latency/p95"),
                throughput: number("/throughput/avg"),
                error_rate: number("/error_rate/avg"),
            });
        }
        if value.pointer("/summary/latency").is_some() {
            return Self::of_json(&value["summary"]);
        }
        value.pointer("/summary/avg_throughput")?;
        let seconds = |pointer: &str| number(pointer).map(|seconds| 1000.0 * seconds);
        Some(Self {
            p50_ms: None,
            mean_ms: seconds("/summary/avg_response_time"),
            p95_ms: seconds("/summary/p95_response_time"),
            throughput: number("/summary/avg_throughput"),
            error_rate: number("/summary/success_rate").map(|percent| 1.0 - percent / 100.0),
        })
    }
}

/// Times that grew and throughput that fell by more than `tolerance`, and an error rate that rose by more
/// than a percentage point, are regressions. Without a common figure the result is inconclusive.
pub fn summaries(baseline: &Summary, candidate: &Summary, tolerance: f64) -> SummaryComparison {
    let grown = |figure, a: Option<f64>, b: Option<f64>, sign: f64| {
        let change = a.zip(b).filter(|(a, _)| *a > 0.0).map(|(a, b)| (b - a) / a);
        SummaryLine {
            figure,
            baseline: a,
            candidate: b,
            change,
            is_regression: change.is_some_and(|change| sign * change > tolerance),
        }
    };
    let (a, b) = (baseline, candidate);
    let risen = a.error_rate.zip(b.error_rate).map(|(a, b)| b - a);
    let lines = vec![
        grown("p50 ms", a.p50_ms, b.p50_ms, 1.0),
        grown("mean ms", a.mean_ms, b.mean_ms, 1.0),
        grown("p95 ms", a.p95_ms, b.p95_ms, 1.0),
        grown("throughput 1/s", a.throughput, b.throughput, -1.0),
        SummaryLine {
            figure: "error rate",
            baseline: a.error_rate,
            candidate: b.error_rate,
            change: risen,
            is_regression: risen.is_some_and(|points| points > 0.01),
        },
    ];
    let outcome = match lines.iter().filter(|line| line.change.is_some()).count() {
        0 => Outcome::Inconclusive,
        _ if lines.iter().any(|line| line.is_regression) => Outcome::Regression,
        _ => Outcome::Passed,
    };
    SummaryComparison { outcome, lines }
}

impl SummaryComparison {
    pub fn markdown(&self) -> String {
        let headline = match self.outcome {
            Outcome::Regression => "✕ Regression",
            Outcome::Passed => "✓ No regression by the rule alone",
            _ => "? Inconclusive: the summaries have no figure in common",
        };
        let mut table = Table::new(
            "",
            &["figure", "#baseline", "#candidate", "#change", "regression"],
        );
        for line in &self.lines {
            table.row(vec![
                line.figure.into(),
                or_dash(line.baseline, figure).into(),
                or_dash(line.candidate, figure).into(),
                or_dash(line.change, change).into(),
                match (line.change, line.is_regression) {
                    (None, _) => DASH,
                    (_, true) => "✕ yes",
                    (_, false) => "✓ no",
                }
                .into(),
            ]);
        }
        format!(
            "# {headline}\n\n{}\nA summary has no values to test: chance is not ruled out. Compare two report.json for that.\n",
            table.to_markdown()
        )
    }

    pub fn json(&self) -> Value {
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|line| {
                json!({
                    "figure": line.figure,
                    "baseline": line.baseline,
                    "candidate": line.candidate,
                    "change": line.change,
                    "regression": line.is_regression,
                })
            })
            .collect();
        json!({ "outcome": self.outcome, "exit_code": self.outcome.exit_code(), "figures": lines, "tested": false })
    }
}
