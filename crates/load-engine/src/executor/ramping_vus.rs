//! `ramping-vus`: a changing number of VUs that iterate.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::ExecutorContext;
use super::by_hand::ByHand;
use super::context::Running;
use crate::options::Executor;
use crate::options::scenario::RampingVus;
use crate::plan::{Step, ramp_steps};
use crate::script::Interrupt;
use crate::source::{LoopSlot, Source};

/// A place in the ramp: occupied when more VUs than its number are planned.
pub(super) struct Place {
    pub(super) slot: Arc<LoopSlot>,
    pub(super) vu: Running,
    pub(super) interrupt: Interrupt,
    /// When its iteration has to end, if the VU is leaving.
    hard_stop: Option<Instant>,
}

/// All places; `None` is a free one.
pub(super) type Places = Vec<Option<Place>>;

pub(super) async fn run(context: &ExecutorContext, config: &RampingVus) {
    let begin = context.state().started;
    let mut places: Places = Vec::new();
    let steps = ramp_steps(config, &context.stripe());
    // A ramp that stays at zero has ended, whatever its last stages are.
    let ends_empty = steps.last().is_none_or(|last| last.vus == 0);
    let mut by_hand = ByHand::of(context);
    let mut is_by_hand = false;
    for step in steps {
        tokio::select! {
            biased;
            () = by_hand.set() => is_by_hand = true,
            goes_on = wait(context, &mut places, begin + step.at) => {
                if !goes_on {
                    break;
                }
            }
        }
        if is_by_hand {
            break;
        }
        context
            .status
            .vus_planned
            .store(step.vus, Ordering::Relaxed);
        take_step(context, &mut places, step, config.graceful_ramp_down()).await;
    }
    let grace = config.graceful_ramp_down();
    if is_by_hand {
        by_hand.follow(context, &mut places, grace).await;
    } else if !context.interrupt.is_cancelled() && !ends_empty {
        let until = context.regular_end();
        let set = tokio::select! {
            biased;
            () = by_hand.set() => true,
            _ = wait(context, &mut places, until) => false,
        };
        if set {
            by_hand.follow(context, &mut places, grace).await;
        }
    }
    finish(context, places).await;
}

/// Waits until `until`, stopping VUs whose time runs out; false when the run ends before.
pub(super) async fn wait(
    context: &ExecutorContext,
    places: &mut [Option<Place>],
    until: Instant,
) -> bool {
    loop {
        let stops = places.iter().flatten().filter_map(|place| place.hard_stop);
        let next = stops.min().map_or(until, |stop| stop.min(until));
        tokio::select! {
            biased;
            () = context.interrupt.cancelled() => return false,
            () = sleep_until(next) => {}
        }
        let now = Instant::now();
        for place in places.iter_mut() {
            leave_if_due(context, place, now).await;
        }
        if now >= until {
            return true;
        }
    }
}

/// Interrupts the VU when its time is over, and returns it to the pool when it has left.
async fn leave_if_due(context: &ExecutorContext, place: &mut Option<Place>, now: Instant) {
    let Some(occupied) = place else { return };
    let Some(stop) = occupied.hard_stop else {
        return;
    };
    let left = !matches!(
        occupied.vu.ended.try_recv(),
        Err(tokio::sync::oneshot::error::TryRecvError::Empty)
    );
    if !left && stop > now {
        return;
    }
    occupied.interrupt.cancel();
    if !left {
        context.end(&mut occupied.vu).await;
    }
    if let Some(place) = place.take() {
        context.release(place.vu);
    }
}

/// Occupies or empties places until as many are occupied as the step says; a VU that is removed may continue
/// for `grace`.
pub(super) async fn take_step(
    context: &ExecutorContext,
    places: &mut Places,
    step: Step,
    grace: Duration,
) {
    let planned = usize::try_from(step.vus).unwrap_or(usize::MAX);
    if places.len() < planned {
        places.resize_with(planned, || None);
    }
    let hard_stop = Instant::now() + grace;
    for place in places.iter_mut().skip(planned).flatten() {
        place.slot.take_away();
        place.hard_stop.get_or_insert(hard_stop);
    }
    for place in places.iter_mut().take(planned) {
        if let Some(occupied) = place
            && occupied.slot.give_back()
        {
            occupied.hard_stop = None;
            continue;
        }
        if let Some(mut left) = place.take() {
            context.end(&mut left.vu).await; // it has left its slot, so this wait is short
            context.release(left.vu);
        }
        *place = Some(occupy(context).await);
    }
}

async fn occupy(context: &ExecutorContext) -> Place {
    let slot = Arc::new(LoopSlot::default());
    let interrupt = context.interrupt.child_token();
    let vu = context
        .start(Source::Slot(Arc::clone(&slot)), interrupt.clone())
        .await;
    Place {
        slot,
        vu,
        interrupt,
        hard_stop: None,
    }
}

/// The regular end: all VUs leave within the graceful time, or sooner if they are ramping down already.
pub(super) async fn finish(context: &ExecutorContext, places: Places) {
    if matches!(context.scenario.executor, Executor::RampingVus(_)) {
        // This is k6's display of a finished ramp.
        context.status.vus_planned.store(0, Ordering::Relaxed);
    }
    let last = context.regular_end() + context.scenario.graceful_stop();
    let mut leaving = Vec::new();
    for mut place in places.into_iter().flatten() {
        place.slot.take_away();
        let stop = place.hard_stop.map_or(last, |stop| stop.min(last));
        leaving.push(async move {
            tokio::select! {
                biased;
                () = context.end(&mut place.vu) => {}
                () = sleep_until(stop) => {
                    place.interrupt.cancel();
                    context.end(&mut place.vu).await;
                }
            }
            place.vu
        });
    }
    for vu in futures_util::future::join_all(leaving).await {
        context.release(vu);
    }
}
