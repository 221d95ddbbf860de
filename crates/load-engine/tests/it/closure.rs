//! A program that is a Rust closure: executors cannot tell it from a script.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use load_engine::log::Logger;
use load_engine::options::{derive, json};
use load_engine::segment::Segment;
use load_engine::summary::{Terminal, to_data};
use load_engine::thresholds::Thresholds;
use load_engine::{
    Activation, Gatherer, Interrupt, Iteration, IterationEnd, Outcome, Program, Run, RunState,
    ScriptError, SummaryCall, SummaryReturn, Vu, VuContext, Workers, scenario_statuses,
};
use load_metrics::{Aggregate, Recorder, Registry, TagSet};
use serde_json::Value;
use tokio::time::Instant;

/// One iteration as observed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    pub at: Instant,
    pub at_ms: u64,
    pub vu: u64,
    pub iteration: Iteration,
    pub complete: bool,
}

/// A program that records its iterations, each of which takes `takes` (with zero they do not wait at all). A
/// scenario's `PREPARE_MS` is the preparation time of its VUs.
pub struct Closure {
    takes: Duration,
    started: Instant,
    seen: Arc<Mutex<Vec<Seen>>>,
}

pub struct ClosureVu {
    takes: Duration,
    started: Instant,
    seen: Arc<Mutex<Vec<Seen>>>,
    context: VuContext,
    recorder: Recorder,
    activation: Option<Rc<Activation>>,
}

impl Program for Closure {
    type Vu = ClosureVu;

    fn options(&self) -> Value {
        Value::Null
    }

    fn has_function(&self, name: &str) -> bool {
        name == "default"
    }

    async fn make_vu(&self, context: VuContext) -> Result<ClosureVu, ScriptError> {
        Ok(ClosureVu {
            takes: self.takes,
            started: self.started,
            seen: Arc::clone(&self.seen),
            recorder: context.recorder.clone(),
            context,
            activation: None,
        })
    }
}

impl Vu for ClosureVu {
    fn activate(&mut self, activation: Rc<Activation>) {
        self.activation = Some(activation);
    }

    async fn prepare(&mut self) {
        let activation = self.activation.as_ref().expect("activated before");
        let wanted = activation.env.iter().find(|(name, _)| name == "PREPARE_MS");
        if let Some((_, millis)) = wanted {
            let millis = millis.parse().expect("a number");
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
    }

    async fn iterate(&mut self, iteration: Iteration) -> IterationEnd {
        let at = Instant::now();
        let at_ms = u64::try_from((at - self.started).as_millis()).expect("short");
        let interrupt = self
            .activation
            .as_ref()
            .expect("activated before")
            .interrupt
            .clone();
        let complete = tokio::select! {
            biased;
            () = interrupt.cancelled() => false,
            () = std::future::ready(()), if self.takes.is_zero() => true,
            () = tokio::time::sleep(self.takes) => true,
        };
        let vu = self.context.ids.in_test;
        self.seen.lock().expect("no panics").push(Seen {
            at,
            at_ms,
            vu,
            iteration,
            complete,
        });
        if complete {
            IterationEnd::Completed
        } else {
            IterationEnd::Interrupted
        }
    }

    fn tags(&self) -> TagSet {
        self.recorder.root()
    }

    async fn setup(&mut self, _: Interrupt) -> Result<Option<Arc<str>>, ScriptError> {
        Ok(None)
    }

    async fn teardown(&mut self, _: Option<Arc<str>>, _: Interrupt) -> Result<(), ScriptError> {
        Ok(())
    }

    async fn handle_summary(&mut self, _: SummaryCall) -> SummaryReturn {
        SummaryReturn::of_no_call(Ok(None))
    }
}

/// The result of a run.
pub struct Finished {
    pub outcome: Outcome,
    /// The iterations in order of their start.
    pub seen: Vec<Seen>,
    pub state: Arc<RunState>,
    /// Samples of the number of active VUs, with their times.
    pub active: Vec<(Duration, u64)>,
    /// The start of its first scenario.
    pub begin: Instant,
}

impl Finished {
    pub fn count(&self, metric: &str) -> f64 {
        self.outcome
            .summary
            .metric(metric)
            .map_or(0.0, |metric| metric.value("count"))
    }
}

/// Runs the options (JSON) with iterations that take `takes_ms`, on a paused clock.
pub fn run(options: &str, takes_ms: u64) -> Finished {
    run_looked_at(options, takes_ms, Duration::from_secs(3600))
}

/// The same, and samples the active VUs with this delay and period.
pub fn run_looked_at(options: &str, takes_ms: u64, every: Duration) -> Finished {
    let how = How {
        takes: Duration::from_millis(takes_ms),
        workers: Workers::Local,
        every,
        act: None,
    };
    block_on(true, execute(options, how))
}

/// The same; `act` changes the run in progress.
pub fn run_changed<F: Future<Output = ()> + 'static>(
    options: &str,
    (takes_ms, every): (u64, Duration),
    act: impl FnOnce(Arc<RunState>) -> F + 'static,
) -> Finished {
    let how = How {
        takes: Duration::from_millis(takes_ms),
        workers: Workers::Local,
        every,
        act: Some(Box::new(move |state| Box::pin(act(state)))),
    };
    block_on(true, execute(options, how))
}

/// The same on the real clock, on two threads.
pub fn run_in_real_time(options: &str, takes_ms: u64) -> Finished {
    let how = How {
        takes: Duration::from_millis(takes_ms),
        workers: Workers::Threads(2),
        every: Duration::from_secs(3600),
        act: None,
    };
    block_on(false, execute(options, how))
}

fn block_on(paused: bool, run: impl Future<Output = Finished>) -> Finished {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(paused)
        .build()
        .expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, run)
}

/// The settings of a test run.
struct How {
    takes: Duration,
    workers: Workers,
    every: Duration,
    act: Option<Act>,
}

/// The action that accompanies a run.
type Act = Box<dyn FnOnce(Arc<RunState>) -> Pin<Box<dyn Future<Output = ()>>>>;

type Looks = Rc<RefCell<Vec<(Duration, u64)>>>;

async fn look(state: Arc<RunState>, every: Duration, active: Looks) {
    let begin = Instant::now();
    loop {
        tokio::time::sleep(every).await;
        let count = state.instance.vus_active.load(Ordering::Relaxed);
        active.borrow_mut().push((begin.elapsed(), count));
    }
}

async fn execute(options: &str, how: How) -> Finished {
    let value: Value = serde_json::from_str(options).expect("valid JSON");
    let mut options = json::read(&value).expect("valid options").options;
    derive::scenarios(&mut options).expect("derivable");
    load_engine::options::validate::scenarios(&options, |_| true).expect("runnable");
    let segment = Segment::parse(
        options.execution_segment.as_deref(),
        options.execution_segment_sequence.as_deref(),
    )
    .expect("valid segment");
    let registry = Arc::new(Registry::new());
    let thresholds = options.thresholds.clone().unwrap_or_default();
    let thresholds = Thresholds::new(&thresholds, &registry).expect("valid thresholds");
    let (_, scenario_statuses) = scenario_statuses(&options, &segment);
    let state = Arc::new(RunState::new(Arc::new(options)));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let started = Instant::now();
    let program = Arc::new(Closure {
        takes: how.takes,
        started,
        seen: Arc::clone(&seen),
    });
    let run = Run {
        program,
        state: Arc::clone(&state),
        registry,
        segment,
        thresholds,
        logger: Logger::silent(),
        workers: how.workers,
        by_part: false,
        outputs: None,
        aggregate: Arc::new(Mutex::new(Aggregate::default())),
        scenario_statuses: scenario_statuses.clone(),
        summary_data: Some(Box::new(|summary| to_data(summary, Terminal::default()))),
        reads_summary_back: false,
        gatherer: Gatherer::default(),
        linger: None,
        together: None,
    };
    let active = Rc::default();
    let looking = look(Arc::clone(&state), how.every, Rc::clone(&active));
    let looking = tokio::task::spawn_local(looking);
    let acting = how
        .act
        .map(|act| tokio::task::spawn_local(act(Arc::clone(&state))));
    let outcome = run.execute().await;
    looking.abort();
    if let Some(acting) = acting {
        acting.abort();
    }
    let begin = scenario_statuses[0]
        .state
        .get()
        .map_or(started, |state| state.started);
    let mut seen = seen.lock().expect("no panics").clone();
    seen.sort_by_key(|seen| (seen.at_ms, seen.vu));
    Finished {
        outcome,
        seen,
        state,
        active: active.take(),
        begin,
    }
}
