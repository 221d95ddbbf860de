//! Asks all selected detectors at once, under one deadline.

use std::time::Duration;

use detector_api::orchestrate::DetectorTimeline;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::call::{Called, Context, call};
use crate::failure::Failure;
use crate::policy::Collect;
use crate::select::{Plan, Selected};
use crate::verdict::is_decided;

/// Kept of the deadline for aggregation and the way back: 5 ms and one percent.
pub fn reserve(budget: Duration) -> Duration {
    Duration::from_millis(5) + budget / 100
}

/// One result per selected detector, in the same order. What is in `kept` already is not asked
/// again. Ends by the context's deadline, or as soon as the verdict is certain where the policy
/// collects no further; dropping the future cancels all calls.
pub async fn fan_out(context: &Context, plan: &Plan, mut kept: Vec<Option<Called>>) -> Vec<Called> {
    kept.resize_with(plan.selected.len(), || None);
    let mut calls: FuturesUnordered<_> = plan
        .selected
        .iter()
        .enumerate()
        .filter(|(place, _)| kept[*place].is_none())
        .map(|(place, one)| async move { (place, ask(context, one).await) })
        .collect();
    while let Some((place, called)) = calls.next().await {
        kept[place] = Some(called);
        if plan.policy.collect == Collect::UntilDecided && is_decided(plan, &kept) {
            break;
        }
    }
    drop(calls);
    let missing = |one: &Selected| unasked(&one.name, Failure::NotNeeded);
    let places = plan.selected.iter().zip(kept);
    places
        .map(|(one, called)| called.unwrap_or_else(|| missing(one)))
        .collect()
}

async fn ask(context: &Context, one: &Selected) -> Called {
    match &one.detector {
        Some(detector) => {
            let mut called = call(context, detector).await;
            called.timeline.detector.clone_from(&one.name);
            called
        }
        None => unasked(&one.name, Failure::Unknown),
    }
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
