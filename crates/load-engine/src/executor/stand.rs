//! What an executor works with, and what all of them do alike.

use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use load_metrics::{SystemTag, builtin};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use crate::job::Job;
use crate::log::Logger;
use crate::options::Scenario;
use crate::pool::{Handle, Pool};
use crate::run::Workers;
use crate::segment::{Segment, Stripe};
use crate::source::Source;
use crate::state::RunState;
use crate::vu::{Activation, Interrupt, ScenarioState};
use crate::worker::{Command, PATIENCE, Worker};

/// One scenario's place in a run.
pub(crate) struct Stand {
    pub(crate) scenario: Scenario,
    pub(crate) board: Arc<Board>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) workers: Rc<Vec<Worker>>,
    pub(crate) run: Arc<RunState>,
    pub(crate) segment: Segment,
    pub(crate) logger: Logger,
    /// Where VUs run; on a paused clock everything is a task.
    pub(crate) vus_on: Workers,
    /// Ends all iterations of the scenario; child of the run's.
    pub(crate) interrupt: Interrupt,
}

/// What others may see of a scenario.
#[derive(Debug)]
pub struct Board {
    /// The scenario.
    pub scenario: Scenario,
    /// Set when it has begun.
    pub state: OnceLock<Arc<ScenarioState>>,
    /// VUs and iterations that this instance plans.
    pub vus: u64,
    /// How many VUs are planned at the moment, for executors that change it.
    pub vus_planned: AtomicU64,
    /// This instance's part of the test, 0 to 1.
    pub share: f64,
    begins: OnceLock<Instant>,
    ended: OnceLock<Ended>,
}

/// How a scenario ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    after: Duration,
    is_early: bool,
}

/// A VU that works for a scenario.
pub(super) struct Running {
    handle: Handle,
    /// A VU whose thread was left behind has not ended and never will.
    pub(super) ended: oneshot::Receiver<()>,
    interrupt: Interrupt,
}

impl Board {
    pub(crate) fn new(scenario: Scenario, vus: u64, share: f64) -> Self {
        Self {
            scenario,
            state: OnceLock::new(),
            vus,
            vus_planned: AtomicU64::new(vus),
            share,
            begins: OnceLock::new(),
            ended: OnceLock::new(),
        }
    }

    /// How long until it begins; `None` when the run has not come so far.
    pub fn starts_in(&self) -> Option<Duration> {
        let begins = self.begins.get()?;
        Some(begins.saturating_duration_since(Instant::now()))
    }

    /// Whether all its iterations have ended.
    pub fn has_ended(&self) -> bool {
        self.ended.get().is_some()
    }

    /// How long after its begin all its iterations had ended.
    pub fn ended_after(&self) -> Option<Duration> {
        self.ended.get().map(|ended| ended.after)
    }

    /// Whether the run was ended before it was done.
    pub fn was_ended_early(&self) -> bool {
        self.ended.get().is_some_and(|ended| ended.is_early)
    }

    pub(crate) fn end(&self, is_early: bool) {
        let state = self.state.get();
        let after = state.map_or(Duration::ZERO, |state| state.started.elapsed());
        self.ended.get_or_init(|| Ended { after, is_early });
    }
}

impl Stand {
    /// Waits until the scenario begins; false when the run ends before.
    pub(super) async fn wait_for_start(&self) -> bool {
        let start = Instant::now() + self.scenario.start_time();
        self.board.begins.get_or_init(|| start);
        let in_time = tokio::select! {
            biased;
            () = self.interrupt.cancelled() => false,
            () = sleep_until(start) => true,
        };
        if in_time {
            self.board
                .state
                .get_or_init(|| Arc::new(self.new_state(start)));
        }
        in_time
    }

    /// The scenario as scripts see it; it has begun.
    pub(super) fn state(&self) -> &Arc<ScenarioState> {
        self.board
            .state
            .get_or_init(|| Arc::new(self.new_state(Instant::now())))
    }

    /// When the scenario's regular time is over.
    pub(super) fn regular_end(&self) -> Instant {
        self.state().started + self.scenario.duration()
    }

    /// The numbers by which this instance's share of anything is found.
    pub(super) fn stripe(&self) -> Stripe {
        self.segment.stripe()
    }

    /// Gives a free VU its work.
    pub(super) async fn start(&self, source: Source, interrupt: Interrupt) -> Running {
        self.start_with(self.pool.take().await, source, interrupt)
            .await
    }

    /// Gives this VU its work.
    pub(super) async fn start_with(
        &self,
        handle: Handle,
        source: Source,
        interrupt: Interrupt,
    ) -> Running {
        let (ended, ending) = oneshot::channel();
        let job = Job {
            activation: self.activation(interrupt.clone()),
            source,
            ended,
        };
        // When the worker has ended the job is dropped, and with it `ended`: the VU counts as free.
        tokio::select! {
            biased;
            () = self.workers[handle.worker].left().cancelled() => {}
            _ = handle.jobs.send(Box::new(job)) => {}
        }
        Running {
            handle,
            ended: ending,
            interrupt,
        }
    }

    /// Waits until the VU has ended, or its thread is left behind: as soon as it was told to end that must
    /// not take long.
    pub(super) async fn end(&self, vu: &mut Running) {
        let worker = &self.workers[vu.handle.worker];
        tokio::select! {
            biased;
            _ = &mut vu.ended => return, // an error is an end, too
            () = worker.left().cancelled() => {}
            () = vu.interrupt.cancelled() => {}
        }
        while !worker.left().is_cancelled() {
            if timeout(PATIENCE, &mut vu.ended).await.is_ok() {
                return;
            }
            // All at once: whoever waits for other VUs shall not wait as long for each thread.
            join_all(self.workers.iter().map(Worker::leave_if_silent)).await;
        }
        let whose = format!("a virtual user of scenario '{}'", self.scenario.name);
        self.run.note_left_behind(&whose, &self.logger);
    }

    /// Waits for VUs: until the regular end they work on, then `stop` is called and they have the
    /// graceful time, then they are interrupted.
    pub(super) async fn finish(&self, mut running: Vec<Running>, stop: impl FnOnce()) {
        let regular_end = self.regular_end();
        {
            let all = async {
                for vu in &mut running {
                    self.end(vu).await;
                }
            };
            tokio::pin!(all);
            let in_time = tokio::select! {
                biased;
                () = &mut all => true,
                () = sleep_until(regular_end) => false,
            };
            if !in_time {
                stop();
                tokio::select! {
                    biased;
                    () = &mut all => {}
                    () = sleep_until(regular_end + self.scenario.graceful_stop()) => {
                        self.interrupt.cancel();
                        all.await;
                    }
                }
            }
        }
        running.into_iter().for_each(|vu| self.release(vu));
    }

    /// Gives the VU back to the pool; it must have ended.
    pub(super) fn release(&self, vu: Running) {
        self.pool.give_back(vu.handle);
    }

    /// Counts iterations that could not be begun; not when the run was ended from outside.
    pub(super) async fn count_dropped(&self, count: u64) {
        if count == 0 || self.run.stopped().is_cancelled() {
            return;
        }
        let metric = builtin::DROPPED_ITERATIONS;
        let command = Command::Record {
            metric,
            tags: self.tags(),
            value: count as f64,
        };
        // There is none only when all were left behind, and this was said.
        if let Some(worker) = self.able_worker() {
            worker.tell(command).await;
        }
    }

    /// Counts iterations that could not be begun, if that can be done without waiting.
    pub(super) fn try_count_dropped(&self, count: u64) -> bool {
        let metric = builtin::DROPPED_ITERATIONS;
        let command = Command::Record {
            metric,
            tags: self.tags(),
            value: count as f64,
        };
        self.able_worker()
            .is_some_and(|worker| worker.try_tell(command))
    }

    fn able_worker(&self) -> Option<&Worker> {
        self.workers
            .iter()
            .find(|worker| !worker.left().is_cancelled())
    }

    fn activation(&self, interrupt: Interrupt) -> Activation {
        let env = self.scenario.env.iter().flatten();
        Activation {
            scenario: Arc::clone(self.state()),
            function: self.scenario.function().to_owned(),
            env: env.map(|(k, v)| (k.clone(), v.clone())).collect(),
            tags: self.tags(),
            setup_data: self.run.setup_data(),
            interrupt,
        }
    }

    fn tags(&self) -> Vec<(String, String)> {
        let own = self
            .scenario
            .tags
            .iter()
            .flatten()
            .map(|(k, v)| (k.clone(), v.clone()));
        let name = self.run.options().has_system_tag(SystemTag::Scenario);
        let name = name.then(|| ("scenario".to_owned(), self.scenario.name.clone()));
        own.chain(name).collect()
    }

    fn by_most(&self, vus: Option<i64>) -> Stripe {
        let vus = u64::try_from(vus.unwrap_or(0)).unwrap_or(0);
        self.segment.stripe_by_vus(vus)
    }

    fn new_state(&self, started: Instant) -> ScenarioState {
        use crate::options::Executor as E;
        let whole = |count: Option<i64>| u64::try_from(count.unwrap_or(1)).unwrap_or(0);
        let (planned_iterations, stripe) = match &self.scenario.executor {
            E::SharedIterations(c) => {
                let stripe = self.segment.stripe_by_vus(whole(c.vus));
                (stripe.scale(whole(c.iterations)), stripe)
            }
            E::PerVuIterations(c) => (
                self.stripe().scale(whole(c.vus)) * whole(c.iterations),
                self.stripe(),
            ),
            // As starts are dealt, by the VUs that there may be.
            E::ConstantArrivalRate(c) => (0, self.by_most(c.max_vus.or(c.pre_allocated_vus))),
            E::RampingArrivalRate(c) => (0, self.by_most(c.max_vus.or(c.pre_allocated_vus))),
            _ => (0, self.stripe()),
        };
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        ScenarioState {
            name: self.scenario.name.clone(),
            executor: self.scenario.executor.name(),
            started,
            started_unix_ms: i64::try_from(unix.as_millis()).unwrap_or(i64::MAX),
            duration: Some(self.scenario.duration()),
            planned_iterations,
            begun: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            interrupted: AtomicU64::new(0),
            vus_active: AtomicU64::new(0),
            undone: Mutex::default(),
            stripe,
        }
    }
}
