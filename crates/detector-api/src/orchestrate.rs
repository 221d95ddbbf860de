//! The orchestrator's API: requests, answers, errors, health. Field names are the contract.

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

/// The longest `content`, in characters.
pub const MAX_CONTENT_CHARS: usize = 50_000;
/// The longest tenant id, in characters.
pub const MAX_TENANT_CHARS: usize = 64;
/// The most entries in a batch.
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
    /// Why the verdict is what it is; empty only for a pass with nothing to say.
    pub verdict_reasons: Vec<String>,
    pub timeline: Vec<DetectorTimeline>,
    /// On a partial answer: posting it runs only what was missing. Absent where the answer is too
    /// large to be kept for that.
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

/// What one detector said, or why it said nothing.
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
    /// The breaker's state when the result was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Cow<'static, str>>,
}

/// Where and what one detector found, never the found text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultMetadata {
    /// The first of them; the payload must not grow with the content.
    pub detections: Vec<Located>,
    pub detections_total: usize,
    /// Kept from before, standing in for an open breaker.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_s: Option<u64>,
    /// The detector's own name, where it was asked for by another one.
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

/// The answers of all detectors, brought together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggregatedPayload {
    /// Always `orchestrated-multi`.
    pub detector: Cow<'static, str>,
    /// Labels joined by `|`; `clean` when there is none.
    pub output: Cow<'static, str>,
    pub tenant_id: String,
    pub metadata: PayloadMetadata,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PayloadMetadata {
    pub contributing_detectors: Vec<Arc<str>>,
    /// 0 to 1 by label.
    pub normalized_scores: BTreeMap<String, f64>,
    /// Whether the detectors disagreed, so that the method had to decide.
    pub conflict_resolution_applied: bool,
    pub aggregation_method: ConflictMethod,
    pub coverage_achieved: f64,
    pub provenance: Vec<Provenance>,
    /// More was found than the payload may hold: the weakest labels and the last detectors are left
    /// out here, in `output` and in the scores.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// What one detector contributed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    pub detector: Arc<str>,
    pub output: Cow<'static, str>,
    pub confidence: f64,
    pub weight: f64,
}

/// How disagreeing detectors are brought to one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictMethod {
    HighestConfidence,
    MajorityVote,
    WeightedAverage,
    MostRestrictive,
    TenantPreference,
}

/// Which detectors were asked, and why these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoutingDecision {
    pub selected_detectors: Vec<Arc<str>>,
    pub routing_reason: Cow<'static, str>,
    pub policy_applied: Arc<str>,
    pub coverage_requirements: CoverageRequirements,
    pub health_status: BTreeMap<Arc<str>, bool>,
}

/// What a policy asks of the answers that come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoverageRequirements {
    pub method: Cow<'static, str>,
    /// 0 to 1; less makes an answer partial.
    pub threshold: f64,
}

/// Pass only when everything that had to answer did; see `verdict_reasons`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Pass,
    Degraded,
    Block,
}

/// What a missing answer does to the verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Without its answer nothing passes.
    Closed,
    /// It may be missing; the verdict's reasons say so.
    Open,
    /// Without its answer the verdict is `degraded` at best.
    #[default]
    Degrade,
}

/// Where one detector's time went, in milliseconds since the request came in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorTimeline {
    pub detector: Arc<str>,
    pub start_ms: f64,
    pub end_ms: f64,
    /// Waiting for a free place.
    pub queued_ms: f64,
    /// Waiting before failed attempts were repeated.
    #[serde(default)]
    pub backoff_ms: f64,
    pub attempts: Vec<AttemptTimeline>,
    /// Where the answer came from when this request made no call for it: `hit` (kept from
    /// before), `shared` (of another request's call), `stale` (kept, stands in for an open breaker).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Cow<'static, str>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptTimeline {
    pub start_ms: f64,
    /// When there was a connection to send it on, at once where one was open. Absent: there never
    /// was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_ms: Option<f64>,
    pub end_ms: f64,
    /// `success`, `cancelled` where another attempt won, or the class of the failure.
    pub outcome: Cow<'static, str>,
    /// Sent beside an earlier one that took unusually long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hedge: bool,
}

/// Answer to `POST /orchestrate/batch`. Each entry of the batch keeps its place in `results`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchResponse {
    pub request_id: String,
    /// An [`OrchestrateResponse`], an [`ErrorBody`] or an accepted job each.
    pub results: Vec<Value>,
    pub errors: Option<Vec<BatchError>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchError {
    /// Place of the entry in the batch, from 0.
    pub index: usize,
    pub error_code: ErrorCode,
    pub message: String,
}

/// Body of every error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error_code: ErrorCode,
    /// One line a person can act on; never content.
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
    /// The request is right but the target's state forbids it.
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
    /// Not an error: marks an answer whose coverage is below the threshold.
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
