//! The API of the orchestrator: requests, answers, errors, health. The field names are the contract.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::detect::ContentType;

pub const ORCHESTRATE_PATH: &str = "/orchestrate";
pub const ORCHESTRATE_BATCH_PATH: &str = "/orchestrate/batch";
pub const HEALTH_PATH: &str = "/health";
pub const READY_PATH: &str = "/health/ready";
pub const METRICS_PATH: &str = "/metrics";

/// The maximum length of `content`, in characters.
pub const MAX_CONTENT_CHARS: usize = 50_000;
/// The maximum length of a tenant id, in characters.
pub const MAX_TENANT_CHARS: usize = 64;
/// The maximum number of entries in a batch.
pub const MAX_BATCH: usize = 100;

/// Body of `POST /orchestrate`. Unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrchestrateRequest {
    pub content: String,
    pub content_type: ContentType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_bundle: Option<String>,
    #[serde(default)]
    pub environment: Environment,
    #[serde(default)]
    pub processing_mode: ProcessingMode,
    #[serde(default)]
    pub priority: Priority,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_detectors: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_detectors: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    #[default]
    Dev,
    Stage,
    Prod,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessingMode {
    #[default]
    Sync,
    Async,
}

impl ProcessingMode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }
}

#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
    Critical,
}

/// Answer to `POST /orchestrate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrchestrateResponse {
    pub request_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    pub processing_mode: ProcessingMode,
    pub detector_results: Vec<DetectorResult>,
    pub aggregated_payload: AggregatedPayload,
    pub total_processing_time_ms: u64,
    pub detectors_attempted: usize,
    pub detectors_succeeded: usize,
    pub detectors_failed: usize,
    /// 0 to 1.
    pub coverage_achieved: f64,
    pub routing_decision: RoutingDecision,
    pub fallback_used: bool,
    pub verdict: Verdict,
    /// The reasons for the verdict; empty only for an unqualified pass.
    pub verdict_reasons: Vec<String>,
    pub timeline: Vec<DetectorTimeline>,
    /// Present in a partial answer: posting it runs only the missing detectors. Absent if the answer is
    /// too large to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<String>,
    /// RFC 3339.
    pub timestamp: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<ErrorCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_info: Option<BTreeMap<String, String>>,
}

/// The answer of one detector, or the reason for its absence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorResult {
    pub detector: Arc<str>,
    pub status: DetectorStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Cow<'static, str>>,
    /// 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ResultMetadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub processing_time_ms: u64,
    pub attempts: u32,
    pub hedged: bool,
    /// The state of the breaker at the time of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Cow<'static, str>>,
}

/// The findings of one detector, without the text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultMetadata {
    /// The first findings; the size of the payload must not depend on the content.
    pub detections: Vec<Located>,
    pub detections_total: usize,
    /// An earlier answer, used while the breaker is open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_s: Option<u64>,
    /// The canonical name of the detector, if the request used an alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_of: Option<Arc<str>>,
}

/// One finding without its text. Offsets count characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Located {
    pub start: usize,
    pub end: usize,
    pub label: String,
    pub category: String,
    /// 0 to 1.
    pub score: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorStatus {
    Success,
    Failed,
    Timeout,
    Unavailable,
    Skipped,
}

impl DetectorStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Skipped => "skipped",
        }
    }
}

/// The combined answers of all detectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggregatedPayload {
    /// Always `orchestrated-multi`.
    pub detector: Cow<'static, str>,
    /// Labels joined by `|`, or `clean`.
    pub output: Cow<'static, str>,
    pub tenant_id: String,
    pub metadata: PayloadMetadata,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PayloadMetadata {
    pub contributing_detectors: Vec<Arc<str>>,
    /// 0 to 1 by label.
    pub normalized_scores: BTreeMap<String, f64>,
    /// Whether the detectors disagreed.
    pub conflict_resolution_applied: bool,
    pub aggregation_method: ConflictMethod,
    pub coverage_achieved: f64,
    pub provenance: Vec<Provenance>,
    /// The findings exceed the size of the payload: the weakest labels and the last detectors are left out,
    /// here, in `output` and in the scores.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// The contribution of one detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    pub detector: Arc<str>,
    pub output: Cow<'static, str>,
    pub confidence: f64,
    pub weight: f64,
}

/// The resolution of disagreement between detectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictMethod {
    /// The labels of the detector that is surest of its answer.
    HighestConfidence,
    /// The output that most detectors have.
    MajorityVote,
    /// Labels whose mean score by weight is 0.5 or more.
    WeightedAverage,
    /// Every label that any detector found, with its highest score.
    MostRestrictive,
    /// The labels of the first detector of the policy's `preference` that answered.
    TenantPreference,
}

/// The detectors that were asked, with the reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoutingDecision {
    pub selected_detectors: Vec<Arc<str>>,
    pub routing_reason: Cow<'static, str>,
    pub policy_applied: Arc<str>,
    pub coverage_requirements: CoverageRequirements,
    pub health_status: BTreeMap<Arc<str>, bool>,
}

/// The requirements of a policy on the answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoverageRequirements {
    pub method: Cow<'static, str>,
    /// The coverage below which an answer is partial, 0 to 1.
    pub threshold: f64,
}

/// A pass requires the answers of all required detectors; see `verdict_reasons`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Pass,
    Degraded,
    Block,
}

/// The effect of a missing answer on the verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Nothing passes without its answer.
    Closed,
    /// Its answer may be missing, which is stated in the reasons of the verdict.
    Open,
    /// Without its answer the verdict is `degraded` at best.
    #[default]
    Degrade,
}

/// The timing of one detector, in milliseconds since the arrival of the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorTimeline {
    pub detector: Arc<str>,
    pub start_ms: f64,
    pub end_ms: f64,
    /// The wait for a free slot.
    pub queued_ms: f64,
    /// The delays before retries.
    #[serde(default)]
    pub backoff_ms: f64,
    pub attempts: Vec<AttemptTimeline>,
    /// The source of the answer if this request made no call for it: `hit` (from the cache), `shared` (from
    /// the call of another request), `stale` (an earlier answer, while the breaker is open).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Cow<'static, str>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptTimeline {
    pub start_ms: f64,
    /// The time at which a connection was available, at once if one was open. Absent: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_ms: Option<f64>,
    pub end_ms: f64,
    /// `success`, `cancelled` if another attempt won, or the class of the failure.
    pub outcome: Cow<'static, str>,
    /// Sent while an earlier attempt took unusually long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hedge: bool,
}

/// Answer to `POST /orchestrate/batch`. Each entry of the batch keeps its index in `results`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchResponse {
    pub request_id: String,
    /// An [`OrchestrateResponse`], an [`ErrorBody`] or an accepted job each.
    pub results: Vec<Value>,
    pub errors: Option<Vec<BatchError>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchError {
    /// The index of the entry in the batch, from 0.
    pub index: usize,
    pub error_code: ErrorCode,
    pub message: String,
}

/// Body of every error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error_code: ErrorCode,
    /// One line that a person can act on; never content.
    pub message: String,
    pub request_id: String,
    pub retryable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    InvalidRequest,
    PolicyNotFound,
    Unauthorized,
    InsufficientRbac,
    RateLimited,
    NotFound,
    MethodNotAllowed,
    JobNotFound,
    DetectorNotFound,
    RequestTimeout,
    IdempotencyConflict,
    /// The request is valid, but the state of its target does not permit it.
    Conflict,
    PayloadTooLarge,
    UnsupportedMediaType,
    DetectorOverloaded,
    AllDetectorsUnavailable,
    DetectorCommunicationFailed,
    Overloaded,
    AggregationFailed,
    InternalError,
    /// Part of the contract, not of this build.
    NotImplemented,
    /// Not an error: it marks an answer whose coverage is below the threshold.
    PartialCoverage,
}

/// Answer to `GET /health`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthResponse {
    /// `healthy` or `degraded`.
    pub status: String,
    pub version: String,
    pub environment: Environment,
    pub detectors_total: usize,
    pub detectors_healthy: usize,
}

/// Answer to `GET /health/ready`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadyResponse {
    /// `ready` or `not_ready`.
    pub status: String,
    pub dependencies: BTreeMap<String, bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minimal_request_gets_the_contracts_defaults() {
        let body = r#"{"content": "hello", "content_type": "text", "surprise": 1}"#;
        let request: OrchestrateRequest = serde_json::from_str(body).expect("valid");
        assert_eq!(request.environment, Environment::Dev);
        assert_eq!(request.processing_mode, ProcessingMode::Sync);
        assert_eq!(request.priority, Priority::Normal);
        assert_eq!(request.required_detectors, None);
    }

    #[test]
    fn error_codes_are_written_in_capitals() {
        let code = serde_json::to_value(ErrorCode::InsufficientRbac).expect("a string");
        assert_eq!(code, "INSUFFICIENT_RBAC");
    }
}
