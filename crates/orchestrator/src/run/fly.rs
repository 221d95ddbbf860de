//! The fan-out of one flight: let in, asked, aggregated, written down once for all who wait.

use std::sync::Arc;
use std::time::Duration;

use detector_api::detect::DetectRequest;
use detector_api::orchestrate::{
    AggregatedPayload, DetectorResult, ErrorCode, Priority, RoutingDecision, Verdict,
};
use http::HeaderValue;
use serde::Serialize;
use tokio::time::Instant;

use super::{About, Answered, Keys, Origin, Planned, Timing};
use crate::aggregate::{self, aggregate};
use crate::answers::Asked;
use crate::app::App;
use crate::attempt::{self, DeadlineMs};
use crate::call::{Called, Context};
use crate::dialect::Bodies;
use crate::failure::Failure;
use crate::fanout::{fan_out, reserve};
use crate::intake::Accepted;
use crate::select::{Plan, Rules};
use crate::{json, overload, shadow};

/// What the answer takes for each detector that found nothing, and for itself.
const BYTES: usize = 512;

/// The fan-out itself and what its answers amount to.
pub(super) async fn fly(
    app: &Arc<App>,
    planned: Planned,
    keys: Option<Keys>,
    origin: &Origin,
) -> Answered {
    let Planned {
        request,
        plan,
        rules,
        deadline,
        sla,
        mut kept,
        token,
        since,
        marks,
        ..
    } = planned;
    let door = app.overload.admit(request.priority, request.mode, deadline);
    let admitted = match door.await {
        Ok(admitted) => admitted,
        Err(error) => {
            app.metrics.shed(priority_name(request.priority));
            return Answered::refused(error);
        }
    };
    leave_out(app, &plan, admitted.brown_out, &mut kept);
    let context = Arc::new(Context {
        shared: keys.map(|keys| {
            let asked = Asked {
                tenant: request.tenant.as_str().into(),
                bundle: rules.bundle.clone(),
                hash: keys.asked,
                since,
                marks,
            };
            (app.answers.clone(), asked)
        }),
        ..context(app, &request, origin, deadline - reserve(sla))
    });
    // As it is now: the calls may change who is healthy.
    let routing = plan.routing(&rules.bundle);
    let begun = Instant::now();
    let called = fan_out(&context, &plan, kept).await;
    let detectors = begun.elapsed();
    admitted.done(&called, detectors);
    shadow::ask(app, &context, &plan, &called);
    let begun = Instant::now();
    let error = aggregate::failure(&plan, &called);
    let outcome = aggregate(&plan, &called, &request.tenant);
    let partial = outcome.coverage < plan.min_coverage;
    count(app, &request, &rules, &outcome, partial);
    let resume_token = (partial && error.is_none())
        .then(|| app.partials.keep(token, &request, &rules, &plan, &called));
    let shared = Shared {
        detectors_attempted: outcome.succeeded + outcome.failed,
        detectors_succeeded: outcome.succeeded,
        detectors_failed: outcome.failed,
        detector_results: &outcome.results,
        aggregated_payload: &outcome.payload,
        coverage_achieved: outcome.coverage,
        routing_decision: &routing,
        error_code: partial.then_some(ErrorCode::PartialCoverage),
        version_info: VersionInfo {
            service: env!("CARGO_PKG_VERSION"),
            policy: format!("{}@{}", rules.bundle, rules.version),
        },
    };
    let mut bytes = Vec::with_capacity(BYTES * (1 + plan.selected.len()));
    json::write(&shared, &mut bytes).expect("keys are strings, numbers are finite");
    Answered {
        about: About {
            tenant: request.tenant,
            bundle: rules.bundle,
            detectors: plan.canonical_names(),
        },
        error,
        partial,
        verdict: outcome.verdict,
        reasons: outcome.reasons,
        resume_token,
        complete: called
            .iter()
            .all(|call| call.outcome.is_ok() && call.stale().is_none()),
        fallback: called.iter().any(|call| call.stale().is_some()),
        timeline: called.into_iter().map(|call| call.timeline).collect(),
        timing: Timing {
            routing: Duration::ZERO,
            detectors,
            aggregation: begun.elapsed(),
        },
        shared: bytes.into(),
    }
}

/// Decides beforehand for those that a brown-out leaves out.
fn leave_out(app: &App, plan: &Plan, brown_out: f64, kept: &mut Vec<Option<Called>>) {
    kept.resize_with(plan.selected.len(), || None);
    for place in overload::left_out(plan, brown_out) {
        if kept[place].is_none() {
            let one = &plan.selected[place];
            let name = one.detector.as_ref().map_or("other", |it| it.name());
            app.metrics.left_out(name);
            kept[place] = Some(Called::unasked(&one.name, Failure::BrownOut));
        }
    }
}

fn priority_name(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
        Priority::Critical => "critical",
    }
}

fn count(
    app: &App,
    request: &Accepted,
    rules: &Rules,
    outcome: &aggregate::Aggregated,
    partial: bool,
) {
    app.metrics
        .covered(&request.tenant, &rules.bundle, outcome.coverage);
    let violation = if partial { "coverage" } else { "none" };
    let status = match outcome.verdict {
        Verdict::Pass => "pass",
        Verdict::Degraded => "degraded",
        Verdict::Block => "block",
    };
    app.metrics
        .enforced(&request.tenant, &rules.bundle, status, violation);
}

/// What all calls of one request share.
pub fn context(app: &App, request: &Accepted, origin: &Origin, deadline: Instant) -> Context {
    let question = DetectRequest {
        content: request.content.to_string(),
        content_type: request.content_type,
        request_id: Some(origin.request_id.clone()),
    };
    let mut body = Vec::with_capacity(question.content.len() + BYTES);
    json::write(&question, &mut body).expect("strings are always valid JSON");
    let id = HeaderValue::from_str(&origin.request_id);
    let id = id.expect("request ids are made of printable ASCII");
    let tenant = HeaderValue::from_str(&request.tenant).ok();
    Context {
        transport: app.transport.clone(),
        metrics: app.metrics.clone(),
        content: request.content.clone(),
        headers: attempt::headers(&id, body.len(), tenant, origin.traceparent.clone()),
        bodies: Bodies::new(body.into()),
        deadline_ms: DeadlineMs::default(),
        request_id: id,
        started: origin.started,
        deadline,
        answer_bytes: app.config.limits.answer_bytes,
        shared: None,
        rank: request.priority as u8,
    }
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
