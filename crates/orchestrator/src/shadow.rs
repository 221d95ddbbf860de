//! Shadow detectors: asked the same as a live one, after it, for comparison. Their answers only affect metrics,
//! never the client's answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::answer::attested::AttestedAnswer;
use crate::ask::call::call;
use crate::ask::called::Called;
use crate::ask::context::Context;
use crate::ask::registry::{Detector, Registry};
use crate::metrics::Metrics;
use crate::request::select::Plan;

/// The maximum number of concurrent shadow calls of all detectors together; further ones are left out and
/// counted.
const IN_FLIGHT: usize = 64;

/// The calls to shadows.
pub struct Shadows {
    /// Their budget.
    places: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
}

impl Shadows {
    /// `tasks` owns the calls.
    pub fn new(metrics: Arc<Metrics>, tasks: TaskTracker) -> Self {
        Self {
            places: Arc::new(Semaphore::new(IN_FLIGHT)),
            metrics,
            tasks,
        }
    }

    /// Asks the shadows of all detectors that answered, in separate tasks. Returns at once.
    pub fn ask(&self, registry: &Registry, context: &Arc<Context>, plan: &Plan, called: &[Called]) {
        if !registry.has_shadows() {
            return;
        }
        for (one, call) in plan.selected.iter().zip(called) {
            let (Some(live), Ok(answer)) = (&one.detector, &call.outcome) else {
                continue;
            };
            if !call.is_first_hand() {
                continue;
            }
            for shadow in registry.shadows_of(&live.name) {
                self.begin(context, shadow, live.name(), answer);
            }
        }
    }

    fn begin(
        &self,
        context: &Arc<Context>,
        shadow: &Arc<Detector>,
        live: &str,
        answer: &AttestedAnswer,
    ) {
        let metrics = self.metrics.clone();
        let labels = (shadow.name().to_owned(), live.to_owned());
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            metrics.shadowed(&labels.0, &labels.1, "left_out");
            return;
        };
        let now = Instant::now();
        let context = Arc::new(Context {
            started: now,
            deadline: now + longest(shadow),
            ..Context::clone(context)
        });
        let (shadow, output) = (shadow.clone(), answer.output.clone());
        self.tasks.spawn(async move {
            let _place = place;
            let result = match call(&context, &shadow, false).await.outcome {
                Ok(answer) if answer.output == output => "agrees",
                Ok(_) => "disagrees",
                Err(_) => "failed",
            };
            metrics.shadowed(&labels.0, &labels.1, result);
        });
    }
}

/// The time limit of an attempt to a shadow.
fn longest(shadow: &Detector) -> Duration {
    shadow.settings.timeout
}
