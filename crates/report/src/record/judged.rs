//! The judgement of the measurements.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Outcome;
use crate::number::more_requests;

/// Whether a single requirement is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Held,
    Crossed,
    /// The confidence interval contains the bound.
    Inconclusive,
    /// There are no measurements to judge it by.
    NoData,
    /// Measured and shown, without a requirement.
    Reported,
}

/// A requirement of a test, and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judgement {
    /// Unique within the run, such as `load.p95_ms`; `sparring explain` takes it.
    pub id: String,
    /// `threshold`, `grade`, `slo`, `row`, `alert`, `check`, `recovery`, `users`, `relative`, `named`.
    pub kind: String,
    /// The requirement, such as `p95 < 2000 ms in steady`.
    pub asked: String,
    pub phase: Option<String>,
    pub standing: Standing,
    /// The measured value, in the unit of `asked`.
    pub measured: Option<f64>,
    pub bound: Option<f64>,
    /// The 95 % confidence interval of the measured value.
    pub interval: Option<[f64; 2]>,
    pub unit: String,
    /// The reached grade, for graded figures.
    pub grade: Option<String>,
    /// The number of further requests that would decide it if it is inconclusive, or prove it if it is decided by the
    /// sample alone.
    pub needs_more: Option<u64>,
    /// For a threshold that is decided by the sample alone, as in k6: whether the whole interval leads to the same
    /// result. Absent if there is no interval: for counts, and for maximum and minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved: Option<bool>,
    /// The rule by which it was decided, with its source.
    pub rule: String,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

/// A finding of a rule, and the recommended action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Unique within the run.
    pub id: String,
    /// The rule's name, such as `cpu_bound`.
    pub rule: String,
    pub severity: Severity,
    /// One sentence.
    pub text: String,
    /// The figures used by the rule.
    pub evidence: Value,
    /// Start and end of the window, seconds from the start of the test.
    pub window_s: Option<[f64; 2]>,
    /// The recommended action.
    pub action: String,
    /// The observation that would refute the finding.
    pub falsified_by: String,
}

/// A result of the analysis, and the truth of a simulated target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FoundAndTrue {
    /// `capacity_per_s`, `bottleneck`, `knee_users`, `sigma`, `kappa`, `leak_bytes_per_s`, `hit_ratio`, ….
    pub what: String,
    pub found: Value,
    pub interval: Option<[f64; 2]>,
    #[serde(rename = "true")]
    pub truth: Value,
    /// The largest difference of the result from the truth that agrees, in the unit of the figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// Whether the truth equals the result, is in its interval, or differs by the tolerance at most. This judges the analysis, never the target.
    pub agrees: Option<bool>,
}

/// The trustworthiness of the measurement itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    Valid,
    Suspect,
    /// The run cannot pass and cannot become a baseline.
    Invalid,
}

/// One line of the validity ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerEntry {
    /// `send_rate`, `lateness`, `generator_cpu`, `steal`, `descriptors`, `ports`, `clock`, `dropped_samples`, `simulator`, ….
    pub what: String,
    pub conclusion: Conclusion,
    /// One sentence with the figures.
    pub text: String,
}

impl Judgement {
    /// The status of a threshold that is decided by the sample: `proved`, or `not proved` with the
    /// requirements of a proof.
    pub fn proof(&self) -> Option<String> {
        let more = |more: u64| format!("not proved: needs {}", more_requests(more));
        Some(match (self.proved?, self.needs_more) {
            (true, _) => "proved".to_owned(),
            (false, Some(needs)) => more(needs),
            (false, None) => "not proved".to_owned(),
        })
    }
}

impl Standing {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Crossed => "crossed",
            Self::Inconclusive => "inconclusive",
            Self::NoData => "no data",
            Self::Reported => "reported",
        }
    }

    /// The outcome of a test of which this is the worst standing.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Held | Self::Reported => Outcome::Passed,
            Self::Crossed => Outcome::ThresholdsCrossed,
            Self::Inconclusive => Outcome::Inconclusive,
            Self::NoData => Outcome::Untrusted,
        }
    }
}
