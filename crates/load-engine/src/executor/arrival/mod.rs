//! `constant-arrival-rate` and `ramping-arrival-rate`: iterations begin at planned times, whether or not
//! earlier ones have ended.

mod dispatch;
mod times;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use self::dispatch::Dispatch;
use self::times::{Rate, Times, constant, ramping};
use super::ExecutorContext;
use super::context::Running;
use crate::arrivals::VuSlots;
use crate::log::Level;
use crate::options::scenario::{ConstantArrivalRate, RampingArrivalRate};
use crate::plan::scale;
use crate::pool::Handle;
use crate::script::ScriptError;
use crate::source::Source;
use crate::workers::Workers;

pub(super) async fn run_constant(context: &ExecutorContext, config: &ConstantArrivalRate) {
    let rate = Rate {
        count: whole(config.rate),
        unit: unit(config.time_unit),
    };
    let most = config.max_vus.or(config.pre_allocated_vus);
    let stripe = context.segment.stripe_by_vus(whole(most));
    let times = constant(rate, context.scenario.duration(), stripe);
    ArrivalVus::new(context, config.pre_allocated_vus, most)
        .run(times)
        .await;
}

pub(super) async fn run_ramping(context: &ExecutorContext, config: &RampingArrivalRate) {
    let start = Rate {
        count: whole(config.start_rate),
        unit: unit(config.time_unit),
    };
    let most = config.max_vus.or(config.pre_allocated_vus);
    let stripe = context.segment.stripe_by_vus(whole(most));
    let times = ramping(start, config.stages.clone().unwrap_or_default(), stripe);
    ArrivalVus::new(context, config.pre_allocated_vus, most)
        .run(times)
        .await;
}

fn whole(count: Option<i64>) -> u64 {
    u64::try_from(count.unwrap_or(0)).unwrap_or(0)
}

fn unit(unit: Option<Duration>) -> Duration {
    unit.unwrap_or(Duration::from_secs(1))
}

/// How long the start waits for VUs; others join when they are ready.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// A requested VU, or the error.
type Made = Result<Handle, ScriptError>;

/// The VUs of a scenario, and the means to make more.
struct ArrivalVus<'a> {
    context: &'a ExecutorContext,
    running: Vec<Running>,
    slots: Arc<VuSlots>,
    /// A VU that is being made while the scenario runs; one at a time.
    made: (mpsc::Sender<Made>, mpsc::Receiver<Made>),
    making: bool,
    planned: u64,
    most: u64,
    warned: bool,
    /// Dropped iterations that have not been counted.
    dropped: u64,
}

impl<'a> ArrivalVus<'a> {
    fn new(context: &'a ExecutorContext, planned: Option<i64>, most: Option<i64>) -> Self {
        let stripe = context.stripe();
        Self {
            context,
            running: Vec::new(),
            slots: Arc::default(),
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
            let handle = self.context.pool.take().await;
            self.add(handle).await;
        }
        if self.most > 0 {
            self.wait_for_vus().await;
            self.follow(times).await;
        }
        self.close().await;
    }

    /// The preparation of VUs must not delay the first starts: the planned times count from its end.
    async fn wait_for_vus(&self) {
        let ready = self.slots.are_ready(self.running.len());
        tokio::select! {
            biased;
            () = self.context.interrupt.cancelled() => {}
            _ = timeout(READY_WITHIN, ready) => {}
        }
    }

    async fn follow(&mut self, times: Times) {
        let dispatch = Dispatch {
            times,
            begin: Instant::now(),
            slots: Arc::clone(&self.slots),
            stop: self.context.interrupt.child_token(),
        };
        if self.context.vus_on == Workers::Local {
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
                    self.context.logger.error(&why);
                }
            }
        }
        self.count_drops();
    }

    /// Counts dropped iterations and makes VUs, until all is dispatched and the regular time is over.
    async fn attend(&mut self, dispatched: impl Future<Output = ()>) {
        let regular_end = self.context.regular_end();
        let over = async {
            dispatched.await;
            sleep_until(regular_end).await;
        };
        tokio::pin!(over);
        let slots = Arc::clone(&self.slots);
        loop {
            tokio::select! {
                biased;
                () = self.context.interrupt.cancelled() => return,
                Some(made) = self.made.1.recv() => self.take_made(made).await,
                () = slots.drops().some() => self.count_drops(),
                () = &mut over => return,
            }
        }
    }

    fn count_drops(&mut self) {
        let new = self.slots.drops().take();
        self.dropped += new;
        // One sample for each, as in k6, unless there are too many.
        while self.dropped > 0 && self.context.try_count_dropped(1) {
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
        let count = self.slots.count();
        if count < self.most {
            self.making = true;
            let (pool, made) = (std::rc::Rc::clone(&self.context.pool), self.made.0.clone());
            tokio::task::spawn_local(async move {
                // The scenario may have ended in the meantime; then the VU stays unused.
                let _ = made.send(pool.add().await).await;
            });
        } else if !self.warned {
            self.warned = true;
            let message =
                format!("Insufficient VUs, reached {count} active VUs and cannot initialize more");
            let executor = self.context.scenario.executor.name();
            let fields = [
                ("executor", executor),
                ("scenario", &self.context.scenario.name),
            ];
            self.context.logger.log(Level::Warn, &message, &fields);
        }
    }

    async fn take_made(&mut self, made: Result<Handle, ScriptError>) {
        self.making = false;
        match made {
            Ok(handle) => self.add(handle).await,
            Err(error) => self
                .context
                .logger
                .error(&format!("a VU could not be made: {error}")),
        }
    }

    async fn add(&mut self, handle: Handle) {
        let (slot, arrivals) = self.slots.add();
        let interrupt = self.context.interrupt.child_token();
        let source = Source::Arrivals(arrivals, slot);
        self.running
            .push(self.context.start_with(handle, source, interrupt).await);
        let count = self.running.len() as u64;
        self.context
            .status
            .vus_planned
            .store(count, Ordering::Relaxed);
    }

    async fn close(self) {
        let Self {
            context,
            running,
            slots,
            dropped,
            ..
        } = self;
        context.finish(running, || slots.close()).await;
        let dropped = dropped + slots.drops().take();
        context.count_dropped(dropped).await;
    }
}
