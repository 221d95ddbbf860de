//! A run from its first VU to its summary.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use load_metrics::{Aggregate, BatchSink, RecorderConfig, Registry, Tags, builtin};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;

use crate::executor::{self, ExecutorContext, ScenarioStatus};
use crate::exit::Exit;
use crate::functions::{self, FunctionError};
use crate::gather::Gatherer;
use crate::log::{Level, Logger};
use crate::options::Options;
use crate::plan::{self, Needs};
use crate::pool::Pool;
use crate::script::{ScriptError, SummaryFile};
use crate::segment::Segment;
use crate::state::{Phase, RunState, TestEnd};
use crate::summary::{self, Summary};
use crate::thresholds::Thresholds;
use crate::together::{self, Together};
use crate::vu::Program;
use crate::worker::{Command, Worker, WorkerConfig};
use crate::worker_pool::WorkerPool;
use crate::workers::Workers;

/// Makes the argument of `handleSummary`.
pub type SummaryData = Box<dyn Fn(&Summary) -> serde_json::Value>;

/// The parts of a run.
pub struct Run<P> {
    /// The program that VUs run.
    pub program: Arc<P>,
    /// The run's state, with its consolidated options.
    pub state: Arc<RunState>,
    /// Its metrics; init code has registered its own.
    pub registry: Arc<Registry>,
    /// Its part of the test.
    pub segment: Segment,
    /// Its thresholds.
    pub thresholds: Thresholds,
    /// The receiver of log entries.
    pub logger: Logger,
    /// The workers on which VUs run.
    pub workers: Workers,
    /// Whether the summary has a section for each scenario and group.
    pub by_part: bool,
    /// Makes the sample stream of one worker, if an output needs every sample.
    pub outputs: Option<Box<dyn Fn() -> Box<dyn BatchSink>>>,
    /// The results so far.
    pub aggregate: Arc<Mutex<Aggregate>>,
    /// The state of each scenario, in order.
    pub scenario_statuses: Vec<Arc<ScenarioStatus>>,
    /// Makes the data for `handleSummary`, which is not called without it.
    pub summary_data: Option<SummaryData>,
    /// Whether that data is needed as the function leaves it.
    pub reads_summary_back: bool,
    /// Collects the samples of workers.
    pub gatherer: Gatherer,
    /// If present, the run waits for this before the summary.
    pub linger: Option<CancellationToken>,
    /// The run's part in a larger one.
    pub together: Option<Rc<dyn Together>>,
}

/// The last log entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The error.
    pub message: String,
    /// A hint.
    pub hint: Option<String>,
}

/// The result of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code of the process.
    pub exit: Exit,
    /// The reason why it is not a success; logged after the summary.
    pub failure: Option<Failure>,
    /// The data of the end-of-test summary.
    pub summary: Summary,
    /// The output of the summary.
    pub output: SummaryOutput,
}

/// The output of the summary.
#[derive(Debug, Default)]
pub struct SummaryOutput {
    /// The texts that are shown and written.
    pub files: SummaryFiles,
    /// The data of `handleSummary` as the function left it, if it was called and the data is needed.
    pub data: Option<serde_json::Value>,
}

/// The texts that are shown and written.
#[derive(Debug, Default)]
pub enum SummaryFiles {
    /// The default summary is shown.
    #[default]
    Default,
    /// The result of `handleSummary`.
    Returned(Vec<SummaryFile>),
    /// Nothing is shown or written: `handleSummary` returned something that cannot be written. It has been logged.
    Unusable,
}

/// How often thresholds are evaluated.
const THRESHOLDS_EVERY: Duration = Duration::from_secs(2);
/// How often the number of VUs is sampled.
const VUS_EVERY: Duration = Duration::from_secs(1);
/// How long the end waits for busy workers.
const FINAL_GATHER: Duration = Duration::from_secs(10);

/// The requirements of these options' scenarios, and the observable state of each.
pub fn scenario_statuses(
    options: &Options,
    segment: &Segment,
) -> (Needs, Vec<Arc<ScenarioStatus>>) {
    let needs = plan::needs(options.scenarios(), segment);
    let status = |scenario: &crate::options::Scenario| {
        let own = plan::needs(std::slice::from_ref(scenario), segment);
        Arc::new(ScenarioStatus::new(
            scenario.clone(),
            own.planned_vus,
            segment.share(),
        ))
    };
    (needs, options.scenarios().iter().map(status).collect())
}

impl<P: Program> Run<P> {
    /// Runs to the end. Must be called inside a `LocalSet`.
    pub async fn execute(mut self) -> Outcome {
        let Some(workers) = self.start_pool() else {
            return Outcome {
                exit: Exit::Other,
                failure: None,
                summary: Summary::default(),
                output: SummaryOutput::default(),
            };
        };
        if let Some(first) = workers.first() {
            self.state.offer_functions(first.calls().downgrade());
        }
        let ending = self.run_phases(&workers).await;
        self.state.finish();
        self.gather_rest(&workers).await;
        self.warn_of_no_iterations(&ending);
        let (exit, failure) = self.conclude(ending);
        if let Some(linger) = self.linger.take() {
            self.state.enter(Phase::Ended);
            linger.cancelled().await;
            self.gather_rest(&workers).await;
        }
        let summary = self.summarize();
        let output = self.handle_summary(&workers, &summary).await;
        workers.end();
        self.state.enter(Phase::Ended);
        Outcome {
            exit,
            failure,
            summary,
            output,
        }
    }

    /// All workers; `None` if they cannot start, which has been logged.
    pub(crate) fn start_pool(&self) -> Option<WorkerPool> {
        let started = self.start_workers();
        let log = |error: &std::io::Error| {
            self.logger
                .error(&format!("the workers cannot start: {error}"));
        };
        started.inspect_err(log).ok().map(WorkerPool::new)
    }

    /// Collects the samples of workers; those that do not answer now are abandoned.
    async fn gather_rest(&mut self, pool: &WorkerPool) {
        let workers: Vec<&Worker> = pool.all().collect();
        let done = self
            .gatherer
            .gather(&workers, &self.aggregate, FINAL_GATHER)
            .await;
        for (worker, done) in workers.iter().zip(done) {
            if !done && !worker.left().is_cancelled() {
                worker.left().cancel();
                self.state
                    .note_left_behind("a function of the script", &self.logger);
            }
        }
    }

    /// A worker that can run a function of the script.
    pub(crate) fn able<'a>(&self, pool: &'a WorkerPool) -> Option<&'a Worker> {
        let start = || match self.workers {
            Workers::Local => Ok(Worker::local(self.worker_config())),
            Workers::Threads(_) => Worker::on_thread(self.worker_config(), pool.len()),
        };
        let able = pool.able(start);
        able.inspect_err(|error| {
            self.logger
                .error(&format!("a worker cannot start: {error}"));
        })
        .ok()
    }

    fn warn_of_no_iterations(&self, ending: &Ending) {
        let completed = &self.state.instance.iterations_completed;
        let as_planned = matches!(ending, Ending::Done) && self.state.end().is_none();
        if as_planned && completed.load(Ordering::Relaxed) == 0 {
            self.logger.warn(
                "No script iterations fully finished, consider making the test duration longer",
            );
        }
    }

    fn start_workers(&self) -> std::io::Result<Vec<Worker>> {
        match self.workers {
            Workers::Local => Ok(vec![Worker::local(self.worker_config())]),
            Workers::Threads(count) => (0..count.max(1))
                .map(|n| Worker::on_thread(self.worker_config(), n))
                .collect(),
        }
    }

    fn worker_config(&self) -> WorkerConfig<P> {
        let options = self.state.options();
        let recorder = RecorderConfig {
            system_tags: options.system_tags(),
            run_tags: options.tags.iter().flatten().collect::<Tags>(),
            by_part: self.by_part,
            outputs: self.outputs.as_ref().map(|make| make()),
        };
        WorkerConfig {
            program: Arc::clone(&self.program),
            registry: Arc::clone(&self.registry),
            run: Arc::clone(&self.state),
            logger: self.logger.clone(),
            recorder,
        }
    }

    /// The work of VUs, with the background tasks.
    async fn run_phases(&mut self, workers: &WorkerPool) -> Ending {
        let mut sampling = JoinSet::new();
        sampling.spawn_local(sample_vus(Arc::clone(&self.state), Rc::clone(workers)));
        let over = CancellationToken::new();
        let watching = tokio::task::spawn_local(watch(Watch {
            thresholds: std::mem::take(&mut self.thresholds),
            gatherer: std::mem::take(&mut self.gatherer),
            aggregate: Arc::clone(&self.aggregate),
            workers: Rc::clone(workers),
            state: Arc::clone(&self.state),
            logger: self.logger.clone(),
            over: over.clone(),
        }));
        let ending = self.phases(workers).await;
        over.cancel();
        sampling.shutdown().await;
        if let Ok((thresholds, gatherer)) = watching.await {
            (self.thresholds, self.gatherer) = (thresholds, gatherer);
        }
        ending
    }

    async fn phases(&self, workers: &WorkerPool) -> Ending {
        let stopped = self.state.stopped();
        let pool = Rc::new(Pool::new(Rc::clone(workers), self.segment.stripe()));
        let (needs, _) = scenario_statuses(self.state.options(), &self.segment);
        self.state.enter(Phase::InitVus);
        let made = tokio::select! {
            biased;
            () = stopped.cancelled() => return Ending::Stopped,
            made = pool.fill(needs.planned_vus) => made,
        };
        if let Err((number, error)) = made {
            return Ending::failed(error).while_initializing(number);
        }
        self.state.enter(Phase::InitDone);
        tokio::select! {
            biased;
            () = stopped.cancelled() => return Ending::Stopped,
            () = self.state.wait_while_paused() => {}
        }
        if let Err(ending) = self.begin_together(workers).await {
            return ending;
        }
        self.state.begin();
        if let Err(ending) = self.setup(&workers[0]).await {
            return ending;
        }
        self.state.enter(Phase::Running);
        self.state.health.watch(true);
        self.run_scenarios(workers, &pool).await;
        self.state.health.watch(false);
        let was_ended_early = self.state.end().is_some();
        self.state.enter(Phase::Teardown);
        let ending = match self.able(workers) {
            Some(worker) => self.teardown(worker).await,
            None => Ending::Done,
        };
        self.state.finish();
        // As in k6, the reason of an early end counts for more than an error of `teardown`.
        match was_ended_early {
            true => Ending::Done,
            false => ending,
        }
    }

    /// Waits for the other parts of the run, if it has any.
    async fn begin_together(&self, workers: &WorkerPool) -> Result<(), Ending> {
        let Some(together) = &self.together else {
            return Ok(());
        };
        let ending = tokio::select! {
            biased;
            () = self.state.stopped().cancelled() => Ending::Stopped,
            begun = together.begin(&self.state) => match begun {
                Ok(()) => return Ok(()),
                Err(why) => Ending::Failed(Exit::Other, Failure::new(why)),
            },
        };
        // Another part may have run `setup` by now.
        if self.program.has_function("setup")
            && let Some(worker) = self.able(workers)
        {
            self.state.enter(Phase::Teardown);
            let _ = self.teardown(worker).await; // the reason why the run did not begin is reported
        }
        Err(ending)
    }

    async fn run_scenarios(&self, workers: &Rc<Vec<Worker>>, pool: &Rc<Pool>) {
        let mut scenarios = JoinSet::new();
        for status in &self.scenario_statuses {
            scenarios.spawn_local(executor::run(ExecutorContext {
                scenario: status.scenario.clone(),
                status: Arc::clone(status),
                pool: Rc::clone(pool),
                workers: Rc::clone(workers),
                run: Arc::clone(&self.state),
                segment: self.segment.clone(),
                logger: self.logger.clone(),
                vus_on: self.workers,
                interrupt: self.state.stopped().child_token(),
            }));
        }
        while scenarios.join_next().await.is_some() {}
    }

    async fn setup(&self, worker: &Worker) -> Result<(), Ending> {
        // Without it, the data may have been set through the REST API.
        if self.together.is_some() {
            return Ok(());
        }
        if self.state.options().no_setup == Some(true) || !self.program.has_function("setup") {
            return Ok(());
        }
        self.state.enter(Phase::Setup);
        let interrupt = self.state.stopped().child_token();
        let done = functions::setup(worker.calls(), &self.state, interrupt).await;
        done.map_err(|error| Ending::of(error, Exit::SetupTimeout))
    }

    async fn teardown(&self, worker: &Worker) -> Ending {
        if self.state.options().no_teardown == Some(true) || !self.program.has_function("teardown")
        {
            return Ending::Done;
        }
        if let Some(together) = &self.together
            && !together::tears_down(together.as_ref(), &self.state).await
        {
            return Ending::Done;
        }
        match functions::teardown(worker.calls(), &self.state).await {
            Ok(()) => Ending::Done,
            Err(error) => Ending::of(error, Exit::TeardownTimeout),
        }
    }

    /// The exit code and its log entry. In order of precedence: errors, the reason of a stop, `exec.test.fail`,
    /// thresholds.
    fn conclude(&mut self, ending: Ending) -> (Exit, Option<Failure>) {
        let run_time = self.state.run_time();
        let mut aggregate = self
            .aggregate
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let verdict = self.thresholds.conclude(&mut aggregate, run_time);
        drop(aggregate);
        if let Ending::Failed(exit, failure) = ending {
            return (exit, Some(failure));
        }
        let names = verdict.crossed.join(", ");
        let crossed = (!names.is_empty())
            .then(|| Failure::new(format!("thresholds on metrics '{names}' have been crossed")));
        match self.state.end() {
            Some(TestEnd::ScriptAborted(said)) => (Exit::ScriptAborted, Some(Failure::new(said))),
            Some(TestEnd::Signal(signal)) => {
                let why = format!("test run was aborted because k6 received a '{signal}' signal");
                (Exit::Interrupted, Some(Failure::new(why)))
            }
            Some(TestEnd::Collector(why)) => {
                let why = format!("test run stopped by the collector: {why}");
                (Exit::StoppedByApi, Some(Failure::new(why)))
            }
            Some(TestEnd::RestApi) => {
                let why = "test run stopped from REST API".to_owned();
                (Exit::StoppedByApi, Some(Failure::new(why)))
            }
            Some(TestEnd::ThresholdsCrossed) => {
                let why = format!(
                    "thresholds on metrics '{names}' were crossed; at least one has abortOnFail \
                     enabled, stopping test prematurely"
                );
                (Exit::ThresholdsCrossed, Some(Failure::new(why)))
            }
            None if self.state.is_marked_failed() => (
                Exit::MarkedFailed,
                Some(Failure::new("test run was marked as failed".to_owned())),
            ),
            None if crossed.is_some() => (Exit::ThresholdsCrossed, crossed),
            None => (Exit::Success, None),
        }
    }

    fn summarize(&self) -> Summary {
        let mut aggregate = self
            .aggregate
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let options = self.state.options();
        Summary::new(summary::Source {
            aggregate: &mut aggregate,
            registry: &self.registry,
            thresholds: &self.thresholds,
            run_time: self.state.run_time(),
            stats: options.summary_trend_stats(),
            time_unit: options.summary_time_unit.clone().unwrap_or_default(),
            by_part: self.by_part,
            setup_data: self.state.setup_data(),
        })
    }
}

/// The results of the phases.
enum Ending {
    Done,
    /// The run was stopped; its state has the reason.
    Stopped,
    Failed(Exit, Failure),
}

impl Ending {
    fn failed(error: ScriptError) -> Self {
        match error {
            ScriptError::Exception(text) => {
                let hint = Some("script exception".to_owned());
                Self::Failed(
                    Exit::ScriptException,
                    Failure {
                        message: text,
                        hint,
                    },
                )
            }
            ScriptError::Aborted(said) => Self::Failed(Exit::ScriptAborted, Failure::new(said)),
            ScriptError::Unusable(why) | ScriptError::Rejected(why) => {
                Self::Failed(Exit::Other, Failure::new(why))
            }
            ScriptError::Interrupted => Self::Stopped,
        }
    }

    /// The same with a hint that it was the init code of this VU.
    fn while_initializing(mut self, number: u64) -> Self {
        if let Self::Failed(_, failure) = &mut self {
            let kind = failure.hint.take();
            let kind = kind.map_or_else(String::new, |kind| format!(" ({kind})"));
            failure.hint = Some(format!("error while initializing VU #{number}{kind}"));
        }
        self
    }

    /// The end of a run whose `setup` or `teardown` did not complete.
    fn of(error: FunctionError, timed_out: Exit) -> Self {
        match error {
            FunctionError::Script(error) => Self::failed(error),
            FunctionError::TimedOut { function, .. } => {
                let hint = Some(format!(
                    "You can increase the time limit via the {function}Timeout option"
                ));
                let message = error.to_string();
                Self::Failed(timed_out, Failure { message, hint })
            }
        }
    }
}

impl Failure {
    fn new(message: String) -> Self {
        Self {
            message,
            hint: None,
        }
    }
}

/// The evaluation of thresholds during the run.
struct Watch {
    thresholds: Thresholds,
    gatherer: Gatherer,
    aggregate: Arc<Mutex<Aggregate>>,
    workers: Rc<Vec<Worker>>,
    state: Arc<RunState>,
    logger: Logger,
    over: CancellationToken,
}

async fn watch(mut watch: Watch) -> (Thresholds, Gatherer) {
    let mut ticks = interval_at(Instant::now() + THRESHOLDS_EVERY, THRESHOLDS_EVERY);
    loop {
        tokio::select! {
            biased;
            () = watch.over.cancelled() => return (watch.thresholds, watch.gatherer),
            _ = ticks.tick() => {}
        }
        let workers: Vec<&Worker> = watch.workers.iter().collect();
        let gathering = watch
            .gatherer
            .gather(&workers, &watch.aggregate, VUS_EVERY / 2);
        tokio::select! {
            biased;
            () = watch.over.cancelled() => return (watch.thresholds, watch.gatherer),
            _ = gathering => {}
        }
        let run_time = watch.state.run_time();
        let mut aggregate = watch
            .aggregate
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let verdict = watch.thresholds.evaluate(&mut aggregate, run_time);
        let results = watch.thresholds.results(&aggregate);
        drop(aggregate);
        watch.state.standings().set(results);
        watch.state.set_tainted(!verdict.crossed.is_empty());
        if verdict.abort && watch.state.end().is_none() {
            watch
                .logger
                .log(Level::Debug, "a threshold with abortOnFail is crossed", &[]);
            watch.state.stop(TestEnd::ThresholdsCrossed);
        }
    }
}

async fn sample_vus(state: Arc<RunState>, workers: Rc<Vec<Worker>>) {
    let mut ticks = interval_at(Instant::now() + VUS_EVERY, VUS_EVERY);
    loop {
        ticks.tick().await;
        let counts = [
            (builtin::VUS, &state.instance.vus_active),
            (builtin::VUS_MAX, &state.instance.vus_initialized),
        ];
        for (metric, count) in counts {
            let value = count.load(Ordering::Relaxed) as f64;
            let command = Command::Record {
                metric,
                tags: Vec::new(),
                value,
            };
            // A worker whose queue is full has been busy for long; the next tick samples the number again.
            workers[0].try_tell(command);
        }
    }
}
