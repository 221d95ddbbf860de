//! Asking the detectors of a plan, once the request is admitted.

use std::sync::Arc;
use std::time::Duration;

use detector_api::orchestrate::RoutingDecision;
use tokio::time::Instant;

use crate::answering::Answering;
use crate::ask::called::Called;
use crate::ask::context::Context;
use crate::ask::failure::Failure;
use crate::ask::fanout::{fan_out, reserve};
use crate::error::ApiError;
use crate::overload;
use crate::request::planned::{Keys, Planned};

/// The outcomes of a plan's detectors, in its order.
pub struct FanOutResult {
    pub planned: Planned,
    pub called: Vec<Called>,
    /// Where anything is shared.
    pub(super) keys: Option<Keys>,
    /// The selection of the detectors; the calls may have changed their health since.
    pub(super) routing: RoutingDecision,
    pub(super) took: Duration,
}

/// The state that a fan-out shares with others.
#[derive(Clone, Copy)]
pub(super) enum Sharing {
    /// Answers of single detectors.
    With(Keys),
    /// No answers, but it takes part in the brown-out.
    NoAnswers,
    /// Nothing: every detector has to answer itself.
    Nothing,
}

/// Waits for admission, and asks every detector of the plan.
pub(super) async fn ask(
    service: &Answering,
    mut planned: Planned,
    sharing: Sharing,
) -> Result<FanOutResult, ApiError> {
    let (priority, mode) = (planned.request.priority, planned.request.mode);
    let door = service.overload.admit(priority, mode, planned.deadline);
    let admitted = door.await.inspect_err(|_| service.metrics.shed(priority))?;
    let mut known = std::mem::take(&mut planned.known);
    if !matches!(sharing, Sharing::Nothing) {
        leave_out(service, &planned, admitted.brown_out, &mut known);
    }
    let keys = match sharing {
        Sharing::With(keys) => Some(keys),
        Sharing::NoAnswers | Sharing::Nothing => None,
    };
    let until = planned.deadline - reserve(planned.sla);
    let caller = service.caller();
    let context = Arc::new(Context {
        shared: keys.map(|_| (service.answers.single.clone(), planned.question(keys))),
        ..Context::new(&caller, &planned.request, &planned.envelope, until)
    });
    let routing = planned.routing();
    let begun = Instant::now();
    let called = fan_out(&context, &planned.plan, known).await;
    let took = begun.elapsed();
    admitted.done(&called, took);
    if !matches!(sharing, Sharing::Nothing) {
        let registry = service.catalog.registry.load();
        service
            .shadows
            .ask(&registry, &context, &planned.plan, &called);
    }
    Ok(FanOutResult {
        planned,
        called,
        keys,
        routing,
        took,
    })
}

/// Sets the outcomes of the detectors that a brown-out leaves out.
fn leave_out(
    service: &Answering,
    planned: &Planned,
    brown_out: f64,
    known: &mut Vec<Option<Called>>,
) {
    let plan = &planned.plan;
    known.resize_with(plan.selected.len(), || None);
    for place in overload::left_out(plan, brown_out) {
        if known[place].is_none() {
            let one = &plan.selected[place];
            let name = one.detector.as_ref().map_or("other", |it| it.name());
            service.metrics.left_out(name);
            known[place] = Some(Called::unasked(&one.asked_as, Failure::BrownOut));
        }
    }
}
