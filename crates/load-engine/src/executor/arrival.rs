//! `constant-arrival-rate` and `ramping-arrival-rate`: iterations begin when the plan says so,
//! whether or not earlier ones have ended.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Stand;
use super::arrival_times::{Rate, constant, ramping};
use super::stand::Running;
use crate::log::Level;
use crate::options::scenario::{ConstantArrivalRate, RampingArrivalRate};
use crate::plan::scale;
use crate::pool::Handle;
use crate::source::{Arrival, Source};
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

/// A VU that was asked for, or why there is none.
type Made = Result<Handle, ScriptError>;

/// The VUs of a scenario, those that are free, and how more are made.
struct Line<'a> {
    stand: &'a Stand,
    running: Vec<Running>,
    arrivals: Vec<mpsc::Sender<Arrival>>,
    free: VecDeque<usize>,
    /// A VU says here that it is free; at most as many messages wait as there are iterations that run.
    freed: (mpsc::UnboundedSender<usize>, mpsc::UnboundedReceiver<usize>),
    /// A VU that was made while the scenario runs; one at a time.
    made: (mpsc::Sender<Made>, mpsc::Receiver<Made>),
    making: bool,
    planned: u64,
    most: u64,
    warned: bool,
    dropped: u64,
}

impl<'a> Line<'a> {
    fn new(stand: &'a Stand, planned: Option<i64>, most: Option<i64>) -> Self {
        let stripe = stand.stripe();
        Self {
            stand,
            running: Vec::new(),
            arrivals: Vec::new(),
            free: VecDeque::new(),
            freed: mpsc::unbounded_channel(),
            made: mpsc::channel(1),
            making: false,
            planned: scale(&stripe, planned.unwrap_or(0)),
            most: scale(&stripe, most.unwrap_or(0)),
            warned: false,
            dropped: 0,
        }
    }

    async fn run(mut self, times: impl Iterator<Item = Duration>) {
        for _ in 0..self.planned {
            let handle = self.stand.pool.take().await;
            self.add(handle).await;
        }
        if self.most > 0 {
            self.follow(times).await;
        }
        self.close().await;
    }

    async fn follow(&mut self, times: impl Iterator<Item = Duration>) {
        let begin = self.stand.state().started;
        for at in times {
            if !self.wait_until(begin + at).await {
                return;
            }
            self.begin_iteration(begin + at);
        }
        self.wait_until(self.stand.regular_end()).await;
    }

    /// Waits for the moment; false when the run ends before.
    async fn wait_until(&mut self, moment: Instant) -> bool {
        loop {
            tokio::select! {
                biased;
                () = self.stand.interrupt.cancelled() => return false,
                Some(made) = self.made.1.recv() => self.take_made(made).await,
                () = self.stand.clock.sleep_until(moment) => return true,
            }
        }
    }

    fn begin_iteration(&mut self, scheduled: Instant) {
        while let Ok(seat) = self.freed.1.try_recv() {
            self.free.push_back(seat);
        }
        let arrival = Arrival {
            in_test: None,
            scheduled: Some(scheduled),
        };
        while let Some(seat) = self.free.pop_front() {
            if self.arrivals[seat].try_send(arrival).is_ok() {
                return;
            }
        }
        self.drop_iteration();
    }

    fn drop_iteration(&mut self) {
        self.dropped += 1;
        if self.stand.try_count_dropped(self.dropped) {
            self.dropped = 0;
        }
        let count = self.running.len() as u64;
        if self.making {
            return;
        }
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
        let seat = self.running.len();
        let (send, receive) = mpsc::channel(1);
        let interrupt = self.stand.interrupt.child_token();
        let free = Some((self.freed.0.clone(), seat));
        let source = Source::Arrivals(receive);
        self.running
            .push(self.stand.start_with(handle, source, interrupt, free).await);
        self.arrivals.push(send);
        self.free.push_back(seat);
        let count = self.running.len() as u64;
        self.stand.board.vus_planned.store(count, Ordering::Relaxed);
    }

    async fn close(self) {
        let Self {
            stand,
            running,
            arrivals,
            dropped,
            ..
        } = self;
        stand.finish(running, || drop(arrivals)).await;
        stand.count_dropped(dropped).await;
    }
}
