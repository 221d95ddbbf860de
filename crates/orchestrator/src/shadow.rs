//! Shadow detectors: asked what a live one was asked, after it, to see whether they agree. Their
//! answers go into metrics and nowhere else; whatever they do, the client's answer is the same.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::app::App;
use crate::call::{Called, Context, call};
use crate::registry::{Detector, Registry};
use crate::select::Plan;

/// Shadow calls under way at once, of all detectors together; more are left out and counted.
const IN_FLIGHT: usize = 64;

/// What shadows may cost.
pub struct Shadows {
    places: Arc<Semaphore>,
}

impl Default for Shadows {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(IN_FLIGHT)),
        }
    }
}

/// Has the shadows of all that answered asked, in tasks of their own. Returns at once.
pub fn ask(app: &Arc<App>, context: &Arc<Context>, plan: &Plan, called: &[Called]) {
    let registry = app.registry.load();
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
        for shadow in of(&registry, live.name()) {
            begin(app, context, shadow, (live.name(), answer));
        }
    }
}

fn of<'a>(registry: &'a Registry, live: &'a str) -> impl Iterator<Item = &'a Arc<Detector>> {
    registry
        .iter()
        .filter(move |it| it.settings.shadow_of.as_deref() == Some(live))
}

fn begin(
    app: &Arc<App>,
    context: &Arc<Context>,
    shadow: &Arc<Detector>,
    (live, answer): (&str, &Answer),
) {
    let metrics = app.metrics.clone();
    let labels = (shadow.name().to_owned(), live.to_owned());
    let Ok(place) = app.shadows.places.clone().try_acquire_owned() else {
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
    app.tasks.spawn(async move {
        let _place = place;
        let result = match call(&context, &shadow, false).await.outcome {
            Ok(answer) if answer.output == output => "agrees",
            Ok(_) => "disagrees",
            Err(_) => "failed",
        };
        metrics.shadowed(&labels.0, &labels.1, result);
    });
}

/// Time for one attempt; a shadow is not worth more.
fn longest(shadow: &Detector) -> Duration {
    shadow.settings.timeout
}
