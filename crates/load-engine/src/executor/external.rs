//! `externally-controlled`: VUs that are scaled and paused over the REST API.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, sleep_until};

use super::ExecutorContext;
use super::ramping_vus::{Places, finish, take_step};
use crate::options::scenario::ExternallyControlled;
use crate::plan::Step;
use crate::state::RunControl;

/// How often starting VUs are checked.
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(super) async fn run(context: &ExecutorContext, config: &ExternallyControlled) {
    let mut control = context.run.watch_control();
    let whole = |count: i64| u64::try_from(count).unwrap_or(0);
    let first = whole(config.vus.unwrap_or(1));
    let mut group = Group {
        context,
        places: Vec::new(),
        most: whole(config.max_vus.or(config.vus).unwrap_or(1)),
        surplus: 0,
    };
    let is_finite = !context.scenario.duration().is_zero();
    let over = async {
        if is_finite {
            sleep_until(context.regular_end()).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::pin!(over);
    loop {
        let wanted = *control.borrow_and_update();
        tokio::select! {
            biased;
            () = context.interrupt.cancelled() => break,
            () = &mut over => break,
            () = group.become_like(wanted, first) => {}
        }
        context.run.follow(wanted);
        tokio::select! {
            biased;
            () = context.interrupt.cancelled() => break,
            () = &mut over => break,
            // The run's state, which sends this, outlives every scenario.
            _ = control.changed() => {}
        }
    }
    finish(context, group.places).await;
}

/// The VUs of the scenario.
struct Group<'a> {
    context: &'a ExecutorContext,
    places: Places,
    /// The maximum of VUs.
    most: u64,
    /// VUs that exist beyond the configured ones.
    surplus: u64,
}

impl Group<'_> {
    /// Follows the control until dropped, which is possible at any time.
    async fn become_like(&mut self, wanted: RunControl, first: u64) {
        self.resize(wanted.most_vus.unwrap_or(self.most)).await;
        let vus = wanted.vus.unwrap_or(first).min(self.most);
        let at_work = if wanted.paused { 0 } else { vus };
        self.context
            .status
            .vus_planned
            .store(at_work, Ordering::Relaxed);
        if wanted.paused {
            self.rest().await;
        } else {
            self.shrink(vus).await;
            let step = Step {
                at: Duration::ZERO,
                vus,
            };
            take_step(self.context, &mut self.places, step, Duration::ZERO).await;
            self.wait_until_at_work(vus).await;
        }
        self.discard_surplus();
    }

    /// The VUs have been activated; a client that changed the control has to see them active.
    async fn wait_until_at_work(&self, vus: u64) {
        let active = &self.context.state().vus_active;
        while active.load(Ordering::Relaxed) < vus {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Makes VUs until there are this many. Surplus ones are discarded when they are free.
    async fn resize(&mut self, most: u64) {
        while self.most < most {
            if self.surplus > 0 {
                self.surplus -= 1;
                self.most += 1;
                continue;
            }
            match self.context.pool.add().await {
                Ok(handle) => self.context.pool.give_back(handle),
                Err(error) => {
                    let why = format!("a VU could not be made: {error}");
                    self.context.logger.error(&why);
                    return;
                }
            }
            self.most += 1;
        }
        self.surplus += self.most - most;
        self.most = most;
    }

    /// Lets all VUs end their iterations, however long that takes.
    async fn rest(&mut self) {
        for place in self.places.iter().flatten() {
            place.slot.take_away();
        }
        self.empty(0).await;
    }

    /// Makes the VUs beyond `vus` leave at once.
    async fn shrink(&mut self, vus: u64) {
        let vus = usize::try_from(vus).unwrap_or(usize::MAX);
        for place in self.places.iter().skip(vus).flatten() {
            place.slot.take_away();
            place.interrupt.cancel();
        }
        self.empty(vus).await;
    }

    /// Waits until the places from `from` on are free.
    async fn empty(&mut self, from: usize) {
        for place in self.places.iter_mut().skip(from) {
            if let Some(occupied) = place {
                self.context.end(&mut occupied.vu).await;
            }
            if let Some(left) = place.take() {
                self.context.release(left.vu);
            }
        }
    }

    fn discard_surplus(&mut self) {
        while self.surplus > 0 {
            let Some(handle) = self.context.pool.take_free() else {
                return;
            };
            self.context.pool.discard(handle, &self.context.run);
            self.surplus -= 1;
        }
    }
}
