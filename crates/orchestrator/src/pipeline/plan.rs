//! Planning a request: its policy, its detectors, its deadline.

use detector_api::orchestrate::ProcessingMode;

use super::Task;
use crate::answering::Answering;
use crate::error::ApiError;
use crate::request::intake::Accepted;
use crate::request::planned::Planned;
use crate::request::select;
use crate::share::question::QuestionTime;

/// Chooses the detectors and the deadline.
///
/// # Errors
/// POLICY_NOT_FOUND, or no detector can be asked; or the policy has changed since the answer that is completed.
pub fn plan(service: &Answering, task: Task) -> Result<Planned, ApiError> {
    let Task {
        request,
        envelope,
        earlier,
    } = task;
    // Before reading anything that a change could make stale.
    let since = service.answers.invalidations.now();
    let rules = service.catalog.rules(&request.tenant, &request.bundle)?;
    let registry = service.catalog.registry.load_full();
    let plan = select::plan(&request, &registry, &rules)?;
    if earlier
        .as_ref()
        .is_some_and(|it| it.partial.version != rules.version)
    {
        let message = "created under an older policy; send the whole request again";
        return Err(ApiError::invalid("resume_token", message));
    }
    let sla = match request.mode {
        ProcessingMode::Sync => service.config.sla.of(request.priority),
        ProcessingMode::Async => service.config.sla.asynchronous,
    };
    Ok(Planned {
        deadline: envelope.started + sla,
        sla,
        request,
        envelope,
        plan,
        registry,
        rules,
        known: Vec::new(),
        earlier,
        asked_at: QuestionTime { since, marks: None },
    })
}

/// Whether a request can be planned now: a job that cannot is refused at once.
///
/// # Errors
/// As [`plan`].
pub fn check(service: &Answering, request: &Accepted) -> Result<(), ApiError> {
    let rules = service.catalog.rules(&request.tenant, &request.bundle)?;
    select::plan(request, &service.catalog.registry.load(), &rules).map(drop)
}
