//! The border to whatever runs scripts.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use load_metrics::{Recorder, TagSet, Tags};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::log::Logger;
use crate::segment::Stripe;
use crate::state::RunState;

/// Ends whatever a VU does: waiting VUs select on [`CancellationToken::cancelled`], busy ones ask
/// [`CancellationToken::is_cancelled`] now and then. May be set from any thread.
pub type Interrupt = CancellationToken;

/// A program that virtual users run: a compiled script, or a closure in tests.
pub trait Program: Send + Sync + 'static {
    /// Its virtual user; never leaves the thread that made it.
    type Vu: Vu;

    /// The options that the program asks for, as the JSON object of k6's `options` export.
    fn options(&self) -> Value;

    /// Whether a scenario can name this function as its `exec`.
    fn has_function(&self, name: &str) -> bool;

    /// Makes a VU on the calling thread: runs the init code. May take long; must yield now and then.
    /// VU number 0 is for `setup`, `teardown` and the summary.
    fn make_vu(&self, context: VuContext) -> impl Future<Output = Result<Self::Vu, ScriptError>>;
}

/// One virtual user.
pub trait Vu: 'static {
    /// Begins work for a scenario. Called again when the VU is given to another one, or is added
    /// again after it was stopped.
    fn activate(&mut self, activation: Rc<Activation>);

    /// Does what an activation needs before its first iteration, so that this begins at once.
    fn prepare(&mut self) -> impl Future<Output = ()> {
        async {}
    }

    /// Runs one iteration to its end, event loop included.
    fn iterate(&mut self, iteration: Iteration) -> impl Future<Output = IterationEnd>;

    /// The tags that samples of this VU carry now (scenario and `vu.metrics.tags` included).
    fn tags(&self) -> TagSet;

    /// The pairs that its samples carry without making a series (`iter`, `vu`, `vu.metrics.metadata`).
    fn metadata(&self) -> Option<Arc<Tags>> {
        None
    }

    /// Runs `setup`; its result as JSON text, `None` when there is no such function or it returned
    /// nothing.
    fn setup(
        &mut self,
        interrupt: Interrupt,
    ) -> impl Future<Output = Result<Option<Arc<str>>, ScriptError>>;

    /// Runs `teardown`, if there is one, with what `setup` returned.
    fn teardown(
        &mut self,
        data: Option<Arc<str>>,
        interrupt: Interrupt,
    ) -> impl Future<Output = Result<(), ScriptError>>;

    /// Runs `handleSummary`; `None` when there is no such function or its result is falsy.
    fn handle_summary(
        &mut self,
        data: Value,
        interrupt: Interrupt,
    ) -> impl Future<Output = Result<Option<Vec<SummaryFile>>, ScriptError>>;
}

/// What a VU is made with.
#[derive(Debug, Clone)]
pub struct VuContext {
    /// Its numbers; all 0 outside of scenarios.
    pub ids: VuIds,
    /// Where its samples go.
    pub recorder: Recorder,
    /// The run: options, counters, abort.
    pub run: Arc<RunState>,
    /// Where log lines go.
    pub logger: Logger,
    /// Ends its init code. Not always the run's: an ended run is cleaned up after.
    pub interrupt: Interrupt,
}

impl VuContext {
    /// The same with another end of its init code.
    pub(crate) fn interrupted_by(self, interrupt: &Interrupt) -> Self {
        Self {
            interrupt: interrupt.clone(),
            ..self
        }
    }
}

/// The numbers of a VU, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VuIds {
    /// Among the VUs of this process.
    pub in_instance: u64,
    /// Among the VUs of all instances of a segmented test.
    pub in_test: u64,
}

/// What a scenario wants of a VU.
#[derive(Debug)]
pub struct Activation {
    /// The scenario.
    pub scenario: Arc<ScenarioState>,
    /// The function to run.
    pub function: String,
    /// Environment of the scenario, on top of the process's.
    pub env: Vec<(String, String)>,
    /// Tags of the scenario, on top of the run's. The tag `scenario` is among them when it is enabled.
    pub tags: Vec<(String, String)>,
    /// What `setup` returned, as JSON text.
    pub setup_data: Option<Arc<str>>,
    /// Ends the iterations of this activation.
    pub interrupt: Interrupt,
}

/// What `k6/execution` tells about the scenario.
#[derive(Debug)]
pub struct ScenarioState {
    /// Its name.
    pub name: String,
    /// The executor's name, as `ramping-vus`.
    pub executor: &'static str,
    /// When it began.
    pub started: Instant,
    /// The same in milliseconds since 1970.
    pub started_unix_ms: i64,
    /// Its planned time, for executors that go by time.
    pub duration: Option<Duration>,
    /// Iterations begun and planned, for executors that go by iterations (planned 0: by time).
    pub planned_iterations: u64,
    /// Iterations begun on this instance.
    pub begun: AtomicU64,
    /// Iterations that ran to their end.
    pub completed: AtomicU64,
    /// Iterations that were interrupted.
    pub interrupted: AtomicU64,
    /// VUs at work.
    pub vus_active: AtomicU64,
    /// What VUs were to do on their own and did not, for each that has something left.
    pub(crate) undone: Mutex<Vec<u64>>,
    /// Which iteration numbers of the whole test this instance has.
    pub(crate) stripe: Stripe,
}

impl ScenarioState {
    /// Notes what a VU was to do and did not.
    pub(crate) fn note_undone(&self, count: u64) {
        if count > 0 {
            let mut undone = self.undone.lock().unwrap_or_else(PoisonError::into_inner);
            undone.push(count);
        }
    }

    /// What VUs were to do and did not, for each.
    pub(crate) fn take_undone(&self) -> Vec<u64> {
        std::mem::take(&mut self.undone.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How far it is, 0 to 1.
    pub fn progress(&self) -> f64 {
        let done = if self.planned_iterations > 0 {
            let ended = |count: &AtomicU64| count.load(Ordering::Relaxed);
            let ended = ended(&self.completed) + ended(&self.interrupted);
            ended as f64 / self.planned_iterations as f64
        } else {
            let planned = self.duration.map_or(0.0, |planned| planned.as_secs_f64());
            if planned > 0.0 {
                self.started.elapsed().as_secs_f64() / planned
            } else {
                1.0
            }
        };
        done.clamp(0.0, 1.0)
    }
}

/// Which iteration it is; all from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Iteration {
    /// Of this VU (`__ITER`).
    pub in_vu: u64,
    /// Of this VU in this scenario.
    pub in_vu_scenario: u64,
    /// Of the scenario on this instance.
    pub in_instance: u64,
    /// Of the scenario over all instances.
    pub in_test: u64,
    /// When the plan wanted it to start, for executors that have one.
    pub scheduled: Option<Instant>,
    /// How long after that it starts.
    pub late: Duration,
}

/// How an iteration ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IterationEnd {
    /// To its end, or by an exception that has been logged.
    Completed,
    /// The same, but by an exception; it has been logged.
    Failed,
    /// By the interrupt.
    Interrupted,
    /// The script wants the whole test to end (`exec.test.abort`); with what is to be said of it.
    Aborted(String),
}

/// Why init code, `setup`, `teardown` or `handleSummary` did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// An exception, with its stack as k6 prints it.
    #[error("{0}")]
    Exception(String),
    /// A promise that was rejected and that nobody looked after, with its stack.
    #[error("{0}")]
    Rejected(String),
    /// `exec.test.abort`, with what is to be said of it.
    #[error("{0}")]
    Aborted(String),
    /// A script that cannot be run as a test, without an exception.
    #[error("{0}")]
    Unusable(String),
    /// The interrupt was set.
    #[error("interrupted")]
    Interrupted,
}

/// One thing that `handleSummary` wants to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryFile {
    /// `stdout`, `stderr` or a path.
    pub destination: String,
    /// What to write.
    pub content: Vec<u8>,
}
