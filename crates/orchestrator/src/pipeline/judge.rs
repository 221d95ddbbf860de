//! Combining the detectors' outcomes into one answer.

use std::time::Duration;

use detector_api::orchestrate::Verdict;
use tokio::time::Instant;

use super::ask::FanOutResult;
use crate::answer::aggregate::{self, Aggregated, aggregate};
use crate::answer::written::written;
use crate::answering::Answering;
use crate::request::planned::Planned;
use crate::share::answered::{Answered, Timing};
use crate::share::partials::PartialContext;

/// Combines the detectors' outcomes into one answer.
pub(super) fn judge(service: &Answering, asked: FanOutResult) -> Answered {
    let FanOutResult {
        planned,
        called,
        keys,
        routing,
        took: detectors,
    } = asked;
    let begun = Instant::now();
    let error = aggregate::failure(&planned.plan, &called);
    let outcome = aggregate(&planned.plan, &called, &planned.request.tenant);
    let partial = outcome.coverage < planned.plan.min_coverage;
    count_verdict(service, &planned, &outcome, partial);
    let resume_token = if partial && error.is_none() {
        let made = PartialContext {
            request: &planned.request,
            version: planned.rules.version,
            plan: &planned.plan,
            question: &planned.question(keys),
        };
        let token = planned.earlier.as_ref().map(|it| it.token.clone());
        service.partials.keep(token, &made, &called)
    } else {
        None
    };
    let shared = written(&outcome, &routing, &planned.rules, partial);
    Answered {
        about: planned.about(),
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
        shared,
    }
}

fn count_verdict(service: &Answering, planned: &Planned, outcome: &Aggregated, partial: bool) {
    let (tenant, bundle) = (&planned.request.tenant, &planned.rules.bundle);
    let omitted = u64::try_from(outcome.omitted).unwrap_or(u64::MAX);
    service.metrics.labels_omitted.inc_by(omitted);
    service.metrics.covered(tenant, bundle, outcome.coverage);
    let violation = if partial { "coverage" } else { "none" };
    let status = match outcome.verdict {
        Verdict::Pass => "pass",
        Verdict::Degraded => "degraded",
        Verdict::Block => "block",
    };
    service.metrics.enforced(tenant, bundle, status, violation);
}
