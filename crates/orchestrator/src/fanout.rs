//! Asks all selected detectors at once, under one deadline.

use std::time::Duration;

use detector_api::orchestrate::DetectorTimeline;
use futures_util::future::join_all;

use crate::call::{Called, Context, Failure, call};
use crate::select::Selected;

/// Kept of the deadline for aggregation and the way back: 5 ms and one percent.
pub fn reserve(budget: Duration) -> Duration {
    Duration::from_millis(5) + budget / 100
}

/// One result per selected detector, in the same order. Ends by the context's deadline; dropping
/// the future cancels all calls.
pub async fn fan_out(context: &Context, selected: &[Selected]) -> Vec<Called> {
    join_all(selected.iter().map(|one| async move {
        match &one.detector {
            Some(detector) => {
                let mut called = call(context, detector).await;
                called.timeline.detector.clone_from(&one.name);
                called
            }
            None => unasked(&one.name, Failure::Unknown),
        }
    }))
    .await
}

fn unasked(name: &str, failure: Failure) -> Called {
    Called {
        outcome: Err(failure),
        timeline: DetectorTimeline {
            detector: name.to_owned(),
            start_ms: 0.0,
            end_ms: 0.0,
            queued_ms: 0.0,
            attempts: Vec::new(),
        },
        duration: Duration::ZERO,
        attempts: 0,
        hedged: false,
    }
}
