//! One request's detectors asked, and what each of them said, before anything is made of it.

use std::sync::Arc;

use tokio::time::Instant;

use crate::app::App;
use crate::call::Called;
use crate::error::ApiError;
use crate::fanout::{fan_out, reserve};
use crate::intake::Accepted;
use crate::metrics::Finished;
use crate::policy::{Collect, Policy};
use crate::run::{Origin, Planned, context};
use crate::select::Plan;

/// The plan, and the outcomes in its order.
pub struct Asked {
    pub plan: Plan,
    pub called: Vec<Called>,
}

/// Asks every detector to the end, whatever the policy collects, and counts the request.
///
/// # Errors
/// POLICY_NOT_FOUND, or nothing can be asked.
pub async fn ask(app: &Arc<App>, request: Accepted, origin: &Origin) -> Result<Asked, ApiError> {
    let planned = Planned::new(app, request, origin)?;
    let Planned {
        request,
        mut plan,
        deadline,
        sla,
        ..
    } = planned;
    plan.policy = Arc::new(Policy {
        collect: Collect::All,
        ..Policy::clone(&plan.policy)
    });
    let door = app.overload.admit(request.priority, request.mode, deadline);
    let admitted = door.await?;
    let context = context(app, &request, origin, deadline - reserve(sla));
    let begun = Instant::now();
    let called = fan_out(&Arc::new(context), &plan, Vec::new()).await;
    admitted.done(&called, begun.elapsed());
    let all = called.iter().all(|call| call.outcome.is_ok());
    app.metrics.finished(&Finished {
        tenant: &request.tenant,
        policy: &request.bundle,
        status: if all { "success" } else { "error" },
        mode: origin.mode,
        duration: origin.started.elapsed(),
    });
    Ok(Asked { plan, called })
}
