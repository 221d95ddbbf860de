//! Combines the detectors' results into one answer, or an error when no detector answered.

use std::borrow::Cow;

use detector_api::orchestrate::{
    AggregatedPayload, ConflictMethod, DetectorResult, DetectorStatus, ErrorCode, Located,
    PayloadMetadata, Provenance, ResultMetadata, Verdict,
};
use serde_json::{Map, Value, json};

use crate::answer::attested::{AttestedAnswer, CLEAN};
use crate::answer::bounded::bounded;
use crate::answer::conflict::{Resolved, Vote, strongest};
use crate::answer::verdict::{Judgement, judge};
use crate::ask::called::Called;
use crate::ask::failure::Failure;
use crate::error::ApiError;
use crate::request::select::{Plan, Selected};

/// The maximum number of findings listed per detector, since the payload must not grow with the content.
const LISTED_FINDINGS: usize = 100;

/// Everything that does not depend on the caller.
pub struct Aggregated {
    pub results: Vec<DetectorResult>,
    pub payload: AggregatedPayload,
    pub coverage: f64,
    pub verdict: Verdict,
    pub reasons: Vec<String>,
    pub succeeded: usize,
    /// The count without detectors that were not needed.
    pub failed: usize,
    /// The number of labels that were left out.
    pub omitted: usize,
}

pub fn aggregate(plan: &Plan, called: &[Called], tenant: &str) -> Aggregated {
    let by_place = votes(plan, called);
    let Judgement {
        verdict,
        reasons,
        coverage,
        resolved,
    } = judge(plan, called, &by_place);
    let votes: Vec<&Vote<'_>> = by_place.iter().flatten().collect();
    Aggregated {
        results: plan
            .selected
            .iter()
            .zip(called)
            .map(|(one, call)| result(one, call))
            .collect(),
        succeeded: votes.len(),
        failed: called.iter().filter(|call| is_failed(call)).count(),
        omitted: resolved.omitted,
        payload: bounded(payload(tenant, plan.method, resolved, &votes, coverage)),
        coverage,
        verdict,
        reasons,
    }
}

/// The result of each of the plan's calls, by place; `None` without an answer.
pub fn votes<'a>(plan: &'a Plan, called: &'a [Called]) -> Vec<Option<Vote<'a>>> {
    let vote = |(one, call): (&'a Selected, &'a Called)| {
        let answer = call.outcome.as_ref().ok()?;
        Some(Vote {
            detector: &one.name,
            asked_as: &one.asked_as,
            weight: one.weight,
            answer,
            found: strongest(answer),
        })
    };
    plan.selected.iter().zip(called).map(vote).collect()
}

fn is_failed(call: &Called) -> bool {
    matches!(&call.outcome, Err(failure) if failure.was_asked())
}

fn payload(
    tenant: &str,
    method: ConflictMethod,
    resolved: Resolved,
    votes: &[&Vote<'_>],
    coverage: f64,
) -> AggregatedPayload {
    let output = if resolved.labels.is_empty() {
        Cow::Borrowed(CLEAN)
    } else {
        resolved.labels.join("|").into()
    };
    AggregatedPayload {
        detector: "orchestrated-multi".into(),
        output,
        tenant_id: tenant.to_owned(),
        metadata: PayloadMetadata {
            contributing_detectors: votes.iter().map(|vote| vote.asked_as.clone()).collect(),
            normalized_scores: resolved.scores,
            conflict_resolution_applied: resolved.disagreed,
            aggregation_method: method,
            coverage_achieved: coverage,
            provenance: votes.iter().map(|vote| provenance(vote)).collect(),
            truncated: resolved.omitted > 0,
        },
    }
}

fn provenance(vote: &Vote<'_>) -> Provenance {
    Provenance {
        detector: vote.asked_as.clone(),
        output: vote.answer.output.clone(),
        confidence: vote.answer.confidence,
        weight: vote.weight,
    }
}

fn result(one: &Selected, call: &Called) -> DetectorResult {
    let breaker = one
        .detector
        .as_ref()
        .map(|detector| detector.replicas.state().name());
    let (status, answer, error) = match &call.outcome {
        Ok(answer) => (DetectorStatus::Success, Some(answer), None),
        Err(failure) => (failure.status(), None, Some(failure.to_string())),
    };
    DetectorResult {
        detector: one.asked_as.clone(),
        status,
        output: answer.map(|answer| answer.output.clone()),
        confidence: answer.map(|answer| answer.confidence),
        metadata: answer.map(|answer| metadata(one, call, answer)),
        error,
        processing_time_ms: u64::try_from(call.duration.as_millis()).unwrap_or(u64::MAX),
        attempts: call.attempts,
        hedged: call.hedged,
        breaker: breaker.map(Cow::Borrowed),
    }
}

fn metadata(one: &Selected, call: &Called, answer: &AttestedAnswer) -> ResultMetadata {
    let listed = answer.findings.iter().take(LISTED_FINDINGS);
    let canonical = one.name.text();
    ResultMetadata {
        detections: listed
            .map(|found| Located {
                start: found.start,
                end: found.end,
                label: found.label.clone(),
                category: found.category.clone(),
                score: found.score,
            })
            .collect(),
        detections_total: answer.findings.len(),
        stale: call.stale().is_some(),
        age_s: call.stale().map(|age| age.as_secs()),
        alias_of: (*canonical != one.asked_as).then(|| canonical.clone()),
    }
}

/// The error of a run in which no counting detector succeeded; `None` when there is an answer.
pub fn failure(plan: &Plan, called: &[Called]) -> Option<ApiError> {
    let all = || plan.selected.iter().zip(called);
    let any_required = plan.selected.iter().any(|one| one.required);
    let counts = |one: &Selected| !any_required || one.required;
    if all().any(|(one, call)| counts(one) && call.outcome.is_ok()) {
        return None;
    }
    let failures: Vec<Failure> = all()
        .filter(|(one, _)| counts(one))
        .filter_map(|(_, call)| call.outcome.as_ref().err().copied())
        .collect();
    let nobody = called.iter().all(|call| call.outcome.is_err());
    let (code, message) = explain(&failures, nobody);
    let detectors: Map<String, Value> = all()
        .filter_map(|(one, call)| {
            let failure = call.outcome.as_ref().err()?;
            Some((one.asked_as.as_ref().to_owned(), failure.to_string().into()))
        })
        .collect();
    let mut error = ApiError::new(code, message).with_details(json!({ "detectors": detectors }));
    if let Some(wait) = failures.iter().filter_map(|failure| failure.wait()).min() {
        error = error.after(wait);
    }
    Some(error)
}

fn explain(failures: &[Failure], nobody: bool) -> (ErrorCode, &'static str) {
    let every = |test: fn(&Failure) -> bool| failures.iter().all(test);
    if nobody && every(|failure| matches!(failure, Failure::Deadline)) {
        (
            ErrorCode::RequestTimeout,
            "no detector answered before the request's deadline",
        )
    } else if every(|failure| matches!(failure, Failure::Busy)) {
        (
            ErrorCode::DetectorOverloaded,
            "all detectors have too many calls in flight; try later",
        )
    } else if every(|failure| failure.is_communication()) {
        let message = "no detector could be reached; see details for each failure";
        (ErrorCode::DetectorCommunicationFailed, message)
    } else if nobody {
        let message = "no detector answered; see details for each failure";
        (ErrorCode::AllDetectorsUnavailable, message)
    } else {
        let message = "no required detector answered; see details for each failure";
        (ErrorCode::AllDetectorsUnavailable, message)
    }
}
