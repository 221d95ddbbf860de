//! Asks all selected detectors at once, under one deadline.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, timeout_at};

use crate::cache::Key;
use crate::call::{Called, Context, Origin, call};
use crate::failure::Failure;
use crate::policy::Collect;
use crate::registry::Detector;
use crate::select::{Plan, Selected};
use crate::verdict::is_decided;

/// Kept of the deadline for aggregation and the way back: 5 ms and one percent.
pub fn reserve(budget: Duration) -> Duration {
    Duration::from_millis(5) + budget / 100
}

/// One result per selected detector, in the same order. What is in `kept` already is not asked
/// again. Ends by the context's deadline, or as soon as the verdict is certain where the policy
/// collects no further; dropping the future cancels all calls that nobody else waits for.
pub async fn fan_out(
    context: &Arc<Context>,
    plan: &Plan,
    mut kept: Vec<Option<Called>>,
) -> Vec<Called> {
    kept.resize_with(plan.selected.len(), || None);
    let stale_weight = plan.policy.stale_if_open;
    let calls = plan.selected.iter().enumerate();
    let calls = calls.filter(|(place, _)| kept[*place].is_none());
    let calls: Vec<_> = calls
        .map(|(place, one)| {
            let call = ask(context, (place, one), stale_weight);
            Box::pin(async move { (place, call.await) })
        })
        .collect();
    let mut calls = Calls::new(calls);
    while let Some((place, called)) = calls.next().await {
        kept[place] = Some(called);
        if plan.policy.collect == Collect::UntilDecided && is_decided(plan, &kept) {
            break;
        }
    }
    drop(calls);
    let missing = |one: &Selected| Called::unasked(&one.name, Failure::NotNeeded);
    let places = plan.selected.iter().zip(kept);
    places
        .map(|(one, called)| called.unwrap_or_else(|| missing(one)))
        .collect()
}

/// Up to so many calls are all looked at whenever one of them may go on.
const FEW: usize = 16;

/// Calls under way. Which one may go on is worth telling only among many: it takes a block of
/// memory and a waker for each.
enum Calls<F> {
    Few(Vec<F>),
    Many(FuturesUnordered<F>),
}

impl<F: Future + Unpin> Calls<F> {
    fn new(calls: Vec<F>) -> Self {
        if calls.len() <= FEW {
            Self::Few(calls)
        } else {
            Self::Many(calls.into_iter().collect())
        }
    }

    /// What the next one brings that ends; `None` after all have.
    async fn next(&mut self) -> Option<F::Output> {
        match self {
            Self::Many(calls) => calls.next().await,
            Self::Few(calls) if calls.is_empty() => None,
            Self::Few(calls) => {
                let first = poll_fn(|context| {
                    let ended = |(place, call): (usize, &mut F)| match call.poll_unpin(context) {
                        Poll::Ready(output) => Some((place, output)),
                        Poll::Pending => None,
                    };
                    match calls.iter_mut().enumerate().find_map(ended) {
                        Some(ended) => Poll::Ready(ended),
                        None => Poll::Pending,
                    }
                });
                let (place, output) = first.await;
                calls.swap_remove(place);
                Some(output)
            }
        }
    }
}

async fn ask(
    context: &Arc<Context>,
    (place, one): (usize, &Selected),
    stale_weight: f64,
) -> Called {
    let Some(detector) = &one.detector else {
        return Called::unasked(&one.name, Failure::Unknown);
    };
    let mut called = match &context.shared {
        None => call(context, detector, one.required).await,
        Some((answers, asked)) => {
            let key = asked.key(place, detector.instance);
            let mut called = kept_or_shared(context, (detector, one.required), &key).await;
            if stale_weight > 0.0
                && matches!(called.outcome, Err(Failure::Breaker(_)))
                && let Some((answer, age)) = answers.stale(&key)
            {
                called = Called::kept(context, &detector.shared_name, answer, Origin::Stale(age));
            }
            called
        }
    };
    if let Some(result) = called.origin.name() {
        context.metrics.not_asked(detector.name(), result);
    }
    called.timeline.detector.clone_from(&one.name);
    called
}

/// The answer that is kept, or that is under way already, or a new call's.
async fn kept_or_shared(
    context: &Arc<Context>,
    (detector, required): (&Arc<Detector>, bool),
    key: &Key,
) -> Called {
    let Some((answers, asked)) = &context.shared else {
        return Box::pin(call(context, detector, required)).await;
    };
    if let Some((answer, age)) = answers.fresh(key) {
        return Called::kept(context, &detector.shared_name, answer, Origin::Kept(age));
    }
    let started = Instant::now();
    let (shared, joined) = answers.share((*key, asked.since), || {
        let (context, detector) = (context.clone(), detector.clone());
        let (answers, asked, key) = (answers.clone(), asked.clone(), *key);
        async move {
            let called = call(&context, &detector, required).await;
            if let Ok(answer) = &called.outcome {
                answers.keep(key, &asked, detector.name(), answer);
            }
            called
        }
    });
    if !joined {
        return shared.await;
    }
    match timeout_at(context.deadline, shared).await {
        // Whose call it was had less time than this request has.
        Ok(called) if called.outcome == Err(Failure::Deadline) => {
            Box::pin(call(context, detector, required)).await
        }
        Ok(called) => called.shared(context, started),
        Err(_) => {
            let late = Called::unasked(&detector.shared_name, Failure::Deadline);
            late.shared(context, started)
        }
    }
}
