//! The requirements of a test.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;

/// Figures with graded bounds; times are in milliseconds, shares are ratios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    AvgMs,
    P50Ms,
    P95Ms,
    P99Ms,
    /// Failed requests / all requests.
    ErrorRate,
    /// Successful requests / all requests.
    SuccessRate,
    /// Responses per second, including errors.
    Rps,
    /// Successful operations per second.
    OpsPerS,
    CpuRatio,
    MemoryRatio,
}

impl Grade {
    /// Whether larger is better.
    pub const fn rises(self) -> bool {
        matches!(self, Self::SuccessRate | Self::Rps | Self::OpsPerS)
    }
}

/// Bounds from best to worst. Between `acceptable` and `poor` the grade is "below acceptable".
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GradeBounds {
    /// From here on the figure is excellent.
    pub excellent: Option<f64>,
    /// From here on it reaches its target.
    pub target: Option<f64>,
    /// From here on it is acceptable.
    pub acceptable: Option<f64>,
    /// From here on it is poor.
    pub poor: Option<f64>,
}

/// The requirements for the judged phases.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Judge {
    /// k6 thresholds by metric.
    #[serde(default)]
    pub thresholds: IndexMap<String, Vec<String>>,
    /// The grade that every graded figure has to reach.
    pub grades: Option<GradeName>,
    /// The names of the judged phases; absent: all phases that are judged by kind.
    #[serde(default, rename = "in")]
    pub phases: Vec<String>,
    /// Components whose `slo` rows must hold.
    #[serde(default)]
    pub slo: Vec<String>,
    /// Throughput and resources: figure and expression, such as `rate_per_s: ">=1000"`.
    #[serde(default)]
    pub rows: IndexMap<String, String>,
    /// Alerts that must not fire.
    #[serde(default)]
    pub alerts: Vec<String>,
    /// The minimum share of checks that pass.
    pub checks: Option<f64>,
    /// The longest time from the end of the highest load to five consecutive good seconds.
    #[serde(serialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub recovery_within: Option<Span>,
    /// The level of a ladder up to which it must be stable.
    pub at_least_users: Option<f64>,
    /// Bounds relative to the previous run, such as `p95_ms: "<=+10%"`.
    #[serde(default)]
    pub relative: IndexMap<String, String>,
    /// The reference of relative bounds: the previous run, or the current baseline.
    #[serde(default, skip_serializing_if = "Against::is_previous")]
    pub against: Against,
    /// What the analysis must be able to name: `capacity`, `failure_mode`, `bottleneck`, `leak`, ….
    #[serde(default)]
    pub names: Vec<String>,
}

/// The reference of relative bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The newest complete run of the same target at the same time scale.
    #[default]
    Previous,
    /// The current baseline of the suite on this testbed (`sparring baseline promote`).
    Baseline,
}

impl Against {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde requires"
    )]
    fn is_previous(&self) -> bool {
        *self == Self::Previous
    }
}

/// A grade that a test can require.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GradeName {
    /// The best.
    Excellent,
    /// The target.
    Target,
    /// The minimum.
    Acceptable,
    /// Not below poor.
    Poor,
}

#[expect(clippy::ref_option, reason = "the signature that serde requires")]
fn seconds<S: serde::Serializer>(span: &Option<Span>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.unwrap_or_default().get().as_secs_f64())
}

impl Judge {
    /// Whether there is any requirement.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
