//! `externally-controlled`: VUs that are scaled and paused over the REST API.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, sleep_until};

use super::Stand;
use super::ramping_vus::{Places, finish, take_step};
use crate::options::scenario::ExternallyControlled;
use crate::plan::Step;
use crate::state::Asked;

/// How often VUs that begin are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(super) async fn run(stand: &Stand, config: &ExternallyControlled) {
    let mut control = stand.run.control();
    let whole = |count: i64| u64::try_from(count).unwrap_or(0);
    let first = whole(config.vus.unwrap_or(1));
    let mut group = Group {
        stand,
        places: Vec::new(),
        most: whole(config.max_vus.or(config.vus).unwrap_or(1)),
        surplus: 0,
    };
    let is_finite = !stand.scenario.duration().is_zero();
    let over = async {
        if is_finite {
            sleep_until(stand.regular_end()).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::pin!(over);
    loop {
        let asked = *control.borrow_and_update();
        tokio::select! {
            biased;
            () = stand.interrupt.cancelled() => break,
            () = &mut over => break,
            () = group.become_like(asked, first) => {}
        }
        stand.run.follow(asked);
        tokio::select! {
            biased;
            () = stand.interrupt.cancelled() => break,
            () = &mut over => break,
            // The run's state, which sends this, outlives every scenario.
            _ = control.changed() => {}
        }
    }
    finish(stand, group.places).await;
}

/// The VUs of the scenario.
struct Group<'a> {
    stand: &'a Stand,
    places: Places,
    /// VUs that there may be.
    most: u64,
    /// VUs that exist beyond those.
    surplus: u64,
}

impl Group<'_> {
    /// Does what is asked for; may be dropped at any time.
    async fn become_like(&mut self, asked: Asked, first: u64) {
        self.resize(asked.most_vus.unwrap_or(self.most)).await;
        let vus = asked.vus.unwrap_or(first).min(self.most);
        let at_work = if asked.paused { 0 } else { vus };
        self.stand
            .board
            .vus_planned
            .store(at_work, Ordering::Relaxed);
        if asked.paused {
            self.rest().await;
        } else {
            self.shrink(vus).await;
            let step = Step {
                at: Duration::ZERO,
                vus,
            };
            take_step(self.stand, &mut self.places, step, Duration::ZERO).await;
            self.wait_until_at_work(vus).await;
        }
        self.discard_surplus();
    }

    /// VUs have their work now; whoever asked for them shall see them at it.
    async fn wait_until_at_work(&self, vus: u64) {
        let active = &self.stand.state().vus_active;
        while active.load(Ordering::Relaxed) < vus {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Makes VUs until there are so many. Those that are too many are discarded when they are free.
    async fn resize(&mut self, most: u64) {
        while self.most < most {
            if self.surplus > 0 {
                self.surplus -= 1;
                self.most += 1;
                continue;
            }
            match self.stand.pool.add().await {
                Ok(handle) => self.stand.pool.give_back(handle),
                Err(error) => {
                    let why = format!("a VU could not be made: {error}");
                    self.stand.logger.error(&why);
                    return;
                }
            }
            self.most += 1;
        }
        self.surplus += self.most - most;
        self.most = most;
    }

    /// All VUs end their iterations, however long that takes.
    async fn rest(&mut self) {
        for place in self.places.iter().flatten() {
            place.seat.take_away();
        }
        self.empty(0).await;
    }

    /// The VUs beyond `vus` leave at once.
    async fn shrink(&mut self, vus: u64) {
        let vus = usize::try_from(vus).unwrap_or(usize::MAX);
        for place in self.places.iter().skip(vus).flatten() {
            place.seat.take_away();
            place.interrupt.cancel();
        }
        self.empty(vus).await;
    }

    /// Waits until the places from `from` on are left.
    async fn empty(&mut self, from: usize) {
        for place in self.places.iter_mut().skip(from) {
            if let Some(occupied) = place {
                self.stand.end(&mut occupied.vu).await;
            }
            if let Some(left) = place.take() {
                self.stand.release(left.vu);
            }
        }
    }

    fn discard_surplus(&mut self) {
        while self.surplus > 0 {
            let Some(handle) = self.stand.pool.take_free() else {
                return;
            };
            self.stand.pool.discard(handle, &self.stand.run);
            self.surplus -= 1;
        }
    }
}
