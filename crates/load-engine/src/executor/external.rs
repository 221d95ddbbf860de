//! `externally-controlled`: VUs that are scaled and paused over the REST API.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep_until;

use super::Stand;
use super::ramping_vus::{Places, finish, take_step};
use crate::options::scenario::ExternallyControlled;
use crate::plan::Step;

/// A VU that is taken away may finish its iteration, however long it takes.
const NO_HARD_STOP: Duration = Duration::from_secs(365 * 24 * 3600);

pub(super) async fn run(stand: &Stand, config: &ExternallyControlled) {
    let mut scale = stand.run.scale();
    let mut paused = stand.run.paused();
    let most = u64::try_from(config.max_vus.or(config.vus).unwrap_or(1)).unwrap_or(0);
    let first = u64::try_from(config.vus.unwrap_or(1)).unwrap_or(0);
    let is_finite = !stand.scenario.duration().is_zero();
    let mut places: Places = Vec::new();
    loop {
        let wanted = scale.borrow_and_update().unwrap_or(first).min(most);
        let vus = if *paused.borrow_and_update() {
            0
        } else {
            wanted
        };
        stand.board.vus_planned.store(vus, Ordering::Relaxed);
        take_step(
            stand,
            &mut places,
            Step {
                at: Duration::ZERO,
                vus,
            },
            NO_HARD_STOP,
        )
        .await;
        tokio::select! {
            biased;
            () = stand.interrupt.cancelled() => break,
            () = sleep_until(stand.regular_end()), if is_finite => break,
            // The run's state, which sends these, outlives every scenario.
            _ = scale.changed() => {}
            _ = paused.changed() => {}
        }
    }
    finish(stand, places).await;
}
