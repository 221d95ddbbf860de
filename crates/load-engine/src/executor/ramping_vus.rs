//! `ramping-vus`: a changing number of VUs that iterate.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Stand;
use super::stand::Running;
use crate::options::Executor;
use crate::options::scenario::RampingVus;
use crate::plan::{Step, ramp_steps};
use crate::source::{Seat, Source};
use crate::vu::Interrupt;

/// A place in the ramp: occupied when more VUs than its number are planned.
pub(super) struct Place {
    pub(super) seat: Arc<Seat>,
    pub(super) vu: Running,
    pub(super) interrupt: Interrupt,
    /// When it is leaving: until when its iteration may go on.
    hard_stop: Option<Instant>,
}

/// All places; `None` is one that nobody occupies.
pub(super) type Places = Vec<Option<Place>>;

pub(super) async fn run(stand: &Stand, config: &RampingVus) {
    let begin = stand.state().started;
    let mut places: Places = Vec::new();
    let steps = ramp_steps(config, &stand.stripe());
    // A ramp that has come down for good has ended, whatever its last stages say.
    let ends_empty = steps.last().is_none_or(|last| last.vus == 0);
    for step in steps {
        if !wait(stand, &mut places, begin + step.at).await {
            break;
        }
        stand.board.vus_planned.store(step.vus, Ordering::Relaxed);
        take_step(stand, &mut places, step, config.graceful_ramp_down()).await;
    }
    if !stand.interrupt.is_cancelled() && !ends_empty {
        wait(stand, &mut places, stand.regular_end()).await;
    }
    finish(stand, places).await;
}

/// Waits until `until`, stopping VUs whose time runs out; false when the run ends before.
async fn wait(stand: &Stand, places: &mut [Option<Place>], until: Instant) -> bool {
    loop {
        let stops = places.iter().flatten().filter_map(|place| place.hard_stop);
        let next = stops.min().map_or(until, |stop| stop.min(until));
        tokio::select! {
            biased;
            () = stand.interrupt.cancelled() => return false,
            () = sleep_until(next) => {}
        }
        let now = Instant::now();
        for place in places.iter_mut() {
            leave_if_due(stand, place, now).await;
        }
        if now >= until {
            return true;
        }
    }
}

/// Interrupts the VU when its time is over, and gives it back when it has left.
async fn leave_if_due(stand: &Stand, place: &mut Option<Place>, now: Instant) {
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
        stand.end(&mut occupied.vu).await;
    }
    if let Some(place) = place.take() {
        stand.release(place.vu);
    }
}

/// Occupies or empties places until as many are occupied as the step says; a VU that is taken away
/// may go on for `grace`.
pub(super) async fn take_step(stand: &Stand, places: &mut Places, step: Step, grace: Duration) {
    let planned = usize::try_from(step.vus).unwrap_or(usize::MAX);
    if places.len() < planned {
        places.resize_with(planned, || None);
    }
    let hard_stop = Instant::now() + grace;
    for place in places.iter_mut().skip(planned).flatten() {
        place.seat.take_away();
        place.hard_stop.get_or_insert(hard_stop);
    }
    for place in places.iter_mut().take(planned) {
        if let Some(occupied) = place
            && occupied.seat.give_back()
        {
            occupied.hard_stop = None;
            continue;
        }
        if let Some(mut left) = place.take() {
            stand.end(&mut left.vu).await; // it has left its seat: this is soon
            stand.release(left.vu);
        }
        *place = Some(occupy(stand).await);
    }
}

async fn occupy(stand: &Stand) -> Place {
    let seat = Arc::new(Seat::default());
    let interrupt = stand.interrupt.child_token();
    let vu = stand
        .start(Source::Seat(Arc::clone(&seat)), interrupt.clone())
        .await;
    Place {
        seat,
        vu,
        interrupt,
        hard_stop: None,
    }
}

/// The regular end: everybody leaves within the graceful time, or sooner when ramping down already.
pub(super) async fn finish(stand: &Stand, places: Places) {
    if matches!(stand.scenario.executor, Executor::RampingVus(_)) {
        // As k6 shows a ramp that is over.
        stand.board.vus_planned.store(0, Ordering::Relaxed);
    }
    let last = stand.regular_end() + stand.scenario.graceful_stop();
    let mut leaving = Vec::new();
    for mut place in places.into_iter().flatten() {
        place.seat.take_away();
        let stop = place.hard_stop.map_or(last, |stop| stop.min(last));
        leaving.push(async move {
            tokio::select! {
                biased;
                () = stand.end(&mut place.vu) => {}
                () = sleep_until(stop) => {
                    place.interrupt.cancel();
                    stand.end(&mut place.vu).await;
                }
            }
            place.vu
        });
    }
    for vu in futures_util::future::join_all(leaving).await {
        stand.release(vu);
    }
}
