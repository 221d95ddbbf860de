//! The context of an executor, and the operations that all executors share.

use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use load_metrics::{SystemTag, builtin};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use crate::activation::{Activation, ScenarioState};
use crate::job::Job;
use crate::log::Logger;
use crate::options::Scenario;
use crate::pool::{Handle, Pool};
use crate::script::Interrupt;
use crate::segment::{Segment, Stripe};
use crate::source::Source;
use crate::state::RunState;
use crate::worker::{Command, PATIENCE, Worker};
use crate::workers::Workers;

/// The context in which an executor runs its scenario.
pub(crate) struct ExecutorContext {
    pub(crate) scenario: Scenario,
    pub(crate) status: Arc<ScenarioStatus>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) workers: Rc<Vec<Worker>>,
    pub(crate) run: Arc<RunState>,
    pub(crate) segment: Segment,
    pub(crate) logger: Logger,
    /// The place where VUs run; on a paused clock everything is a task.
    pub(crate) vus_on: Workers,
    /// Ends all iterations of the scenario; a child of the run's token.
    pub(crate) interrupt: Interrupt,
}

/// The state of a scenario, as progress display and outputs see it.
#[derive(Debug)]
pub struct ScenarioStatus {
    /// The scenario.
    pub scenario: Scenario,
    /// Set when it has begun.
    pub state: OnceLock<Arc<ScenarioState>>,
    /// VUs and iterations that this instance plans.
    pub vus: u64,
    /// The number of VUs that are planned at the moment, for executors that change it.
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
    /// The VU's thread was abandoned, so it will never report its end.
    pub(super) ended: oneshot::Receiver<()>,
    interrupt: Interrupt,
}

impl ScenarioStatus {
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

    /// The time until it begins; `None` before the scenarios start.
    pub fn starts_in(&self) -> Option<Duration> {
        let begins = self.begins.get()?;
        Some(begins.saturating_duration_since(Instant::now()))
    }

    /// Whether all its iterations have ended.
    pub fn has_ended(&self) -> bool {
        self.ended.get().is_some()
    }

    /// The time from its start to the end of all its iterations.
    pub fn ended_after(&self) -> Option<Duration> {
        self.ended.get().map(|ended| ended.after)
    }

    /// Whether the run was stopped before the scenario ended.
    pub fn was_ended_early(&self) -> bool {
        self.ended.get().is_some_and(|ended| ended.is_early)
    }

    pub(crate) fn end(&self, is_early: bool) {
        let state = self.state.get();
        let after = state.map_or(Duration::ZERO, |state| state.started.elapsed());
        self.ended.get_or_init(|| Ended { after, is_early });
    }
}

impl ExecutorContext {
    /// Waits until the scenario begins; false when the run ends before.
    pub(super) async fn wait_for_start(&self) -> bool {
        let start = Instant::now() + self.scenario.start_time();
        self.status.begins.get_or_init(|| start);
        let in_time = tokio::select! {
            biased;
            () = self.interrupt.cancelled() => false,
            () = sleep_until(start) => true,
        };
        if in_time {
            self.status
                .state
                .get_or_init(|| Arc::new(self.new_state(start)));
        }
        in_time
    }

    /// The state of the scenario as scripts see it; marks it as started.
    pub(super) fn state(&self) -> &Arc<ScenarioState> {
        self.status
            .state
            .get_or_init(|| Arc::new(self.new_state(Instant::now())))
    }

    /// When the scenario's regular time is over.
    pub(super) fn regular_end(&self) -> Instant {
        self.state().started + self.scenario.duration()
    }

    /// The numbers that determine this instance's share.
    pub(super) fn stripe(&self) -> Stripe {
        self.segment.stripe()
    }

    /// Activates a free VU.
    pub(super) async fn start(&self, source: Source, interrupt: Interrupt) -> Running {
        self.start_with(self.pool.take().await, source, interrupt)
            .await
    }

    /// Activates this VU.
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

    /// Waits until the VU has ended or, if it does not end within the limit after it was told to, its thread
    /// is abandoned.
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
            // All together, so that the time limits of several threads do not add up.
            join_all(self.workers.iter().map(Worker::leave_if_silent)).await;
        }
        let whose = format!("a virtual user of scenario '{}'", self.scenario.name);
        self.run.note_left_behind(&whose, &self.logger);
    }

    /// Waits for VUs: they run until the regular end, then `stop` is called and they have the graceful
    /// period, then they are interrupted.
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

    /// Gives the VU back to the pool; its work must have ended.
    pub(super) fn release(&self, vu: Running) {
        self.pool.give_back(vu.handle);
    }

    /// Counts dropped iterations, unless the run was stopped from outside.
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
        // There is no worker only when all were abandoned, which has been logged.
        if let Some(worker) = self.able_worker() {
            worker.tell(command).await;
        }
    }

    /// Counts dropped iterations, if that is possible without waiting.
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
            // Distributed like starts, by the maximum of VUs.
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
