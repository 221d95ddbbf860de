//! Asks all selected detectors at once, under one deadline.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, timeout_at};

use crate::answer::verdict::PartialVerdict;
use crate::ask::call::call;
use crate::ask::called::{Called, Source};
use crate::ask::context::Context;
use crate::ask::failure::Failure;
use crate::ask::registry::Detector;
use crate::policy::Collect;
use crate::request::select::{Plan, Selected};
use crate::share::answers::CallKey;
use crate::share::key::Key;

/// The part of the deadline that is reserved for aggregation and the response: 5 ms and one percent.
pub fn reserve(budget: Duration) -> Duration {
    Duration::from_millis(5) + budget / 100
}

/// One result per selected detector, in the same order. Detectors in `kept` are not asked again. Ends by the
/// context's deadline, or as soon as the verdict is certain if the policy stops then; dropping the future
/// cancels all calls that no other request waits for.
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
            let call = ask(context, place, one, stale_weight);
            Box::pin(async move { (place, call.await) })
        })
        .collect();
    let mut calls = Calls::new(calls);
    let mut so_far = (plan.policy.collect == Collect::UntilDecided).then(|| {
        let mut so_far = PartialVerdict::new(plan);
        for (place, called) in kept.iter().enumerate() {
            if let Some(called) = called {
                so_far.add(place, called);
            }
        }
        so_far
    });
    while let Some((place, called)) = calls.next().await {
        if let Some(so_far) = &mut so_far {
            so_far.add(place, &called);
        }
        kept[place] = Some(called);
        if so_far.as_ref().is_some_and(PartialVerdict::is_decided) {
            break;
        }
    }
    drop(calls);
    let missing = |one: &Selected| Called::unasked(&one.asked_as, Failure::NotNeeded);
    let places = plan.selected.iter().zip(kept);
    places
        .map(|(one, called)| called.unwrap_or_else(|| missing(one)))
        .collect()
}

/// The number of calls up to which all are polled when one of them is woken.
const FEW: usize = 16;

/// Calls in progress. Individual wakers are used only for many calls, since each takes an allocation.
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

    /// The outcome of the next call to end; `None` after all have ended.
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

async fn ask(context: &Arc<Context>, place: usize, one: &Selected, stale_weight: f64) -> Called {
    let Some(detector) = &one.detector else {
        return Called::unasked(&one.asked_as, Failure::Unknown);
    };
    let mut called = match &context.shared {
        None => call(context, detector, one.required).await,
        Some((answers, asked)) => {
            let key = asked.key(place, detector.instance);
            let mut called = cached_or_shared(context, detector, one.required, &key).await;
            if stale_weight > 0.0
                && matches!(called.outcome, Err(Failure::Breaker(_)))
                && let Some((answer, age)) = answers.stale(&key)
            {
                called = Called::cached(
                    context.started,
                    detector.name.text(),
                    answer,
                    Source::Stale(age),
                );
            }
            called
        }
    };
    if let Some(result) = called.source.name() {
        context.metrics.not_asked(detector.name(), result);
    }
    called.timeline.detector.clone_from(&one.asked_as);
    called
}

/// A cached answer, or that of a call in progress, or that of a new call.
async fn cached_or_shared(
    context: &Arc<Context>,
    detector: &Arc<Detector>,
    required: bool,
    key: &Key,
) -> Called {
    let Some((answers, asked)) = &context.shared else {
        return Box::pin(call(context, detector, required)).await;
    };
    if let Some((answer, age)) = answers.fresh(key) {
        return Called::cached(
            context.started,
            detector.name.text(),
            answer,
            Source::Cached(age),
        );
    }
    let started = Instant::now();
    let call_key = CallKey {
        answer: *key,
        since: asked.asked_at.since,
    };
    let (shared, joined) = answers.under_way.share(call_key, || {
        let (context, detector) = (context.clone(), detector.clone());
        let (answers, asked, key) = (answers.clone(), asked.clone(), *key);
        async move {
            let called = call(&context, &detector, required).await;
            if let Ok(answer) = &called.outcome {
                answers.keep(key, &asked, &detector.name, answer);
            }
            called
        }
    });
    if !joined {
        return shared.await;
    }
    match timeout_at(context.deadline, shared).await {
        // The request that made the call had less time than this one.
        Ok(called) if called.outcome == Err(Failure::Deadline) => {
            Box::pin(call(context, detector, required)).await
        }
        Ok(called) => called.shared(context.started, started),
        Err(_) => {
            let late = Called::unasked(detector.name.text(), Failure::Deadline);
            late.shared(context.started, started)
        }
    }
}
