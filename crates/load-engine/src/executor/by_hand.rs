//! Numbers of users that are set manually during a ramp, which is not followed from then on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::ExecutorContext;
use super::ramping_vus::{Places, take_step, wait};
use crate::plan::Step;

/// The number of users of one scenario.
pub(super) struct ByHand {
    name: String,
    users: watch::Receiver<Option<Arc<BTreeMap<String, u64>>>>,
}

impl ByHand {
    pub(super) fn of(context: &ExecutorContext) -> Self {
        Self {
            name: context.scenario.name.clone(),
            users: context.run.watch_users(),
        }
    }

    /// Waits until users are set for the scenario.
    pub(super) async fn set(&mut self) {
        let name = &self.name;
        let is_set = |users: &Option<Arc<BTreeMap<String, u64>>>| {
            users.as_ref().is_some_and(|users| users.contains_key(name))
        };
        // The run's state, which sends this, outlives every scenario.
        let _ = self.users.wait_for(is_set).await;
    }

    /// Maintains the number of users that was set, until the scenario's regular end.
    pub(super) async fn follow(
        &mut self,
        context: &ExecutorContext,
        places: &mut Places,
        grace: Duration,
    ) {
        let end = context.regular_end();
        loop {
            let users = self.users.borrow_and_update().clone();
            let vus = users.and_then(|users| users.get(&self.name).copied());
            if let Some(vus) = vus {
                let vus = context.stripe().scale(vus);
                let vus = make_room(context, places, vus).await;
                let step = Step {
                    at: Duration::ZERO,
                    vus,
                };
                context.status.vus_planned.store(vus, Ordering::Relaxed);
                take_step(context, places, step, grace).await;
            }
            tokio::select! {
                biased;
                _ = self.users.changed() => {}
                _ = wait(context, places, end) => return,
            }
        }
    }
}

/// Makes the VUs that no ramp has planned, and returns how many of `vus` can exist: a place would wait for
/// ever for a VU that cannot be made.
async fn make_room(context: &ExecutorContext, places: &Places, vus: u64) -> u64 {
    let occupied = places.iter().flatten().count() as u64;
    let wanted = usize::try_from(vus.saturating_sub(occupied)).unwrap_or(usize::MAX);
    let free = std::iter::from_fn(|| context.pool.take_free()).take(wanted);
    let free: Vec<_> = free.collect();
    let missing = wanted - free.len();
    free.into_iter()
        .for_each(|handle| context.pool.give_back(handle));
    for made in 0..missing {
        let there = vus - (missing - made) as u64;
        if context.interrupt.is_cancelled() {
            return there;
        }
        match context.pool.add().await {
            Ok(handle) => context.pool.give_back(handle),
            Err(error) => {
                let why = format!("a VU could not be made: {error}");
                context.logger.error(&why);
                return there;
            }
        }
    }
    vus
}
