//! `constant-arrival-rate` and `ramping-arrival-rate`: iterations begin when the plan says so,
//! whether or not earlier ones have ended.

mod dispatch;
mod seats;
mod times;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use self::dispatch::{Dispatch, Drops};
pub(crate) use self::seats::Seat;
use self::seats::Seats;
use self::times::{Rate, Times, constant, ramping};
use super::Stand;
use super::stand::Running;
use crate::log::Level;
use crate::options::scenario::{ConstantArrivalRate, RampingArrivalRate};
use crate::plan::scale;
use crate::pool::Handle;
use crate::run::Workers;
use crate::source::Source;
use crate::vu::ScriptError;

pub(super) async fn run_constant(stand: &Stand, config: &ConstantArrivalRate) {
    let rate = Rate {
        count: whole(config.rate),
        unit: unit(config.time_unit),
    };
    let most = config.max_vus.or(config.pre_allocated_vus);
    let stripe = stand.segment.stripe_by_vus(whole(most));
    let times = constant(rate, stand.scenario.duration(), stripe);
    Line::new(stand, config.pre_allocated_vus, most)
        .run(times)
        .await;
}

pub(super) async fn run_ramping(stand: &Stand, config: &RampingArrivalRate) {
    let start = Rate {
        count: whole(config.start_rate),
        unit: unit(config.time_unit),
    };
    let most = config.max_vus.or(config.pre_allocated_vus);
    let stripe = stand.segment.stripe_by_vus(whole(most));
    let times = ramping(start, config.stages.clone().unwrap_or_default(), stripe);
    Line::new(stand, config.pre_allocated_vus, most)
        .run(times)
        .await;
}

fn whole(count: Option<i64>) -> u64 {
    u64::try_from(count.unwrap_or(0)).unwrap_or(0)
}

fn unit(unit: Option<Duration>) -> Duration {
    unit.unwrap_or(Duration::from_secs(1))
}

/// VUs that are not ready by then come later.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// A VU that was asked for, or why there is none.
type Made = Result<Handle, ScriptError>;

/// The VUs of a scenario, and how more are made.
struct Line<'a> {
    stand: &'a Stand,
    running: Vec<Running>,
    seats: Arc<Seats>,
    drops: Arc<Drops>,
    /// A VU that was made while the scenario runs; one at a time.
    made: (mpsc::Sender<Made>, mpsc::Receiver<Made>),
    making: bool,
    planned: u64,
    most: u64,
    warned: bool,
    /// Dropped iterations that are not counted yet.
    dropped: u64,
}

impl<'a> Line<'a> {
    fn new(stand: &'a Stand, planned: Option<i64>, most: Option<i64>) -> Self {
        let stripe = stand.stripe();
        Self {
            stand,
            running: Vec::new(),
            seats: Arc::default(),
            drops: Arc::default(),
            made: mpsc::channel(1),
            making: false,
            planned: scale(&stripe, planned.unwrap_or(0)),
            most: scale(&stripe, most.unwrap_or(0)),
            warned: false,
            dropped: 0,
        }
    }

    async fn run(mut self, times: Times) {
        for _ in 0..self.planned {
            let handle = self.stand.pool.take().await;
            self.add(handle).await;
        }
        if self.most > 0 {
            self.wait_for_vus().await;
            self.follow(times).await;
        }
        self.close().await;
    }

    /// What VUs have to do before they can begin must not make the first starts late; the times are counted from
    /// then on.
    async fn wait_for_vus(&self) {
        let ready = self.seats.are_ready(self.running.len());
        tokio::select! {
            biased;
            () = self.stand.interrupt.cancelled() => {}
            _ = timeout(READY_WITHIN, ready) => {}
        }
    }

    async fn follow(&mut self, times: Times) {
        let dispatch = Dispatch {
            times,
            begin: Instant::now(),
            seats: Arc::clone(&self.seats),
            drops: Arc::clone(&self.drops),
            stop: self.stand.interrupt.child_token(),
        };
        if self.stand.vus_on == Workers::Local {
            let dispatched = dispatch.run_as_task();
            self.attend(dispatched).await;
        } else {
            match dispatch.on_thread() {
                Ok((thread, all_done)) => {
                    self.attend(async {
                        let _ = all_done.await; // an error is an end, too
                    })
                    .await;
                    thread.end();
                }
                Err(error) => {
                    let why = format!("arrivals have no thread: {error}");
                    self.stand.logger.error(&why);
                }
            }
        }
        self.count_drops();
    }

    /// Counts what is dropped and makes VUs, until all is dispatched and the regular time is over.
    async fn attend(&mut self, dispatched: impl Future<Output = ()>) {
        let regular_end = self.stand.regular_end();
        let over = async {
            dispatched.await;
            sleep_until(regular_end).await;
        };
        tokio::pin!(over);
        let drops = Arc::clone(&self.drops);
        loop {
            tokio::select! {
                biased;
                () = self.stand.interrupt.cancelled() => return,
                Some(made) = self.made.1.recv() => self.take_made(made).await,
                () = drops.some() => self.count_drops(),
                () = &mut over => return,
            }
        }
    }

    fn count_drops(&mut self) {
        let new = self.drops.take();
        self.dropped += new;
        // A sample for each, as in k6, unless there are more than can be taken.
        while self.dropped > 0 && self.stand.try_count_dropped(1) {
            self.dropped -= 1;
        }
        if new > 0 {
            self.want_another();
        }
    }

    fn want_another(&mut self) {
        if self.making {
            return;
        }
        let count = self.seats.count();
        if count < self.most {
            self.making = true;
            let (pool, made) = (std::rc::Rc::clone(&self.stand.pool), self.made.0.clone());
            tokio::task::spawn_local(async move {
                // The scenario may have ended in the meantime; then the VU stays unused.
                let _ = made.send(pool.add().await).await;
            });
        } else if !self.warned {
            self.warned = true;
            let message =
                format!("Insufficient VUs, reached {count} active VUs and cannot initialize more");
            let executor = self.stand.scenario.executor.name();
            let fields = [
                ("executor", executor),
                ("scenario", &self.stand.scenario.name),
            ];
            self.stand.logger.log(Level::Warn, &message, &fields);
        }
    }

    async fn take_made(&mut self, made: Result<Handle, ScriptError>) {
        self.making = false;
        match made {
            Ok(handle) => self.add(handle).await,
            Err(error) => self
                .stand
                .logger
                .error(&format!("a VU could not be made: {error}")),
        }
    }

    async fn add(&mut self, handle: Handle) {
        let (seat, arrivals) = self.seats.add();
        let interrupt = self.stand.interrupt.child_token();
        let source = Source::Arrivals(arrivals, seat);
        self.running
            .push(self.stand.start_with(handle, source, interrupt).await);
        let count = self.running.len() as u64;
        self.stand.board.vus_planned.store(count, Ordering::Relaxed);
    }

    async fn close(self) {
        let Self {
            stand,
            running,
            seats,
            dropped,
            ..
        } = self;
        stand.finish(running, || seats.close()).await;
        stand.count_dropped(dropped).await;
    }
}
