//! The part of an answer that is the same for all waiting requests, serialized once.

use bytes::Bytes;
use detector_api::orchestrate::{AggregatedPayload, DetectorResult, ErrorCode, RoutingDecision};
use serde::Serialize;

use crate::answer::aggregate::Aggregated;
use crate::request::select::Rules;

/// The approximate bytes for each detector without findings, and for the answer itself.
const BYTES: usize = 512;

/// A JSON object with its braces.
pub fn written(
    outcome: &Aggregated,
    routing: &RoutingDecision,
    rules: &Rules,
    partial: bool,
) -> Bytes {
    let shared = Shared {
        detectors_attempted: outcome.succeeded + outcome.failed,
        detectors_succeeded: outcome.succeeded,
        detectors_failed: outcome.failed,
        detector_results: &outcome.results,
        aggregated_payload: &outcome.payload,
        coverage_achieved: outcome.coverage,
        routing_decision: routing,
        error_code: partial.then_some(ErrorCode::PartialCoverage),
        version_info: VersionInfo {
            service: env!("CARGO_PKG_VERSION"),
            policy: format!("{}@{}", rules.bundle, rules.version),
        },
    };
    let mut bytes = Vec::with_capacity(BYTES * (1 + outcome.results.len()));
    serde_json::to_writer(&mut bytes, &shared).expect("keys are strings, numbers are finite");
    bytes.into()
}

#[derive(Serialize)]
struct Shared<'a> {
    detector_results: &'a [DetectorResult],
    aggregated_payload: &'a AggregatedPayload,
    detectors_attempted: usize,
    detectors_succeeded: usize,
    detectors_failed: usize,
    coverage_achieved: f64,
    routing_decision: &'a RoutingDecision,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<ErrorCode>,
    version_info: VersionInfo,
}

#[derive(Serialize)]
struct VersionInfo {
    service: &'static str,
    policy: String,
}
