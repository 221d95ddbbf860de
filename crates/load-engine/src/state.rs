//! What all threads of a run share.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::log::Logger;
use crate::options::Options;
use crate::worker::Command;

/// Counters of this process, read by `k6/execution`.
#[derive(Debug, Default)]
pub struct Instance {
    /// Iterations that ran to their end.
    pub iterations_completed: AtomicU64,
    /// Iterations that were interrupted.
    pub iterations_interrupted: AtomicU64,
    /// VUs that run a scenario now.
    pub vus_active: AtomicU64,
    /// VUs that exist.
    pub vus_initialized: AtomicU64,
}

/// Why a run ended before its plan was done. The first reason stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestEnd {
    /// `exec.test.abort(message)`, as it is to be logged.
    ScriptAborted(String),
    /// A signal.
    Signal(String),
    /// A threshold with `abortOnFail`.
    ThresholdsCrossed,
    /// The REST API.
    RestApi,
}

/// The run, as every VU sees it.
#[derive(Debug)]
pub struct RunState {
    options: Arc<Options>,
    options_json: OnceLock<Value>,
    /// Counters.
    pub instance: Instance,
    /// How the driver itself fares.
    pub health: Health,
    measures_intended: bool,
    started: OnceLock<Instant>,
    marked_failed: AtomicBool,
    end: Mutex<Option<TestEnd>>,
    stop: CancellationToken,
    finished: OnceLock<Duration>,
    /// Set when nothing runs any more.
    over: CancellationToken,
    phase: AtomicU8,
    control: watch::Sender<Asked>,
    /// The last control that the scenarios have followed.
    followed: watch::Sender<Asked>,
    functions: watch::Sender<Option<mpsc::WeakSender<Command>>>,
    tainted: AtomicBool,
    setup_data: Mutex<Option<Arc<str>>>,
    left_behind: Mutex<Vec<String>>,
}

/// What is asked of a run from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// The run is held: before its begin, and later if it is controlled from outside.
    pub paused: bool,
    /// VUs that an externally controlled scenario shall have at work; `None` leaves it as configured.
    pub vus: Option<u64>,
    /// VUs that there may be of it.
    pub most_vus: Option<u64>,
}

/// What a run is doing, with the numbers of k6's REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing yet.
    Created = 0,
    /// VUs are being made.
    InitVus = 1,
    /// VUs are made.
    InitDone = 3,
    /// Waits for a resume before it begins.
    Paused = 4,
    /// `setup` runs.
    Setup = 6,
    /// Scenarios run.
    Running = 7,
    /// `teardown` runs.
    Teardown = 8,
    /// All is over.
    Ended = 9,
}

impl RunState {
    /// A run with these (consolidated) options that has not begun.
    pub fn new(options: Arc<Options>) -> Self {
        let paused = options.paused == Some(true);
        Self {
            options,
            options_json: OnceLock::new(),
            instance: Instance::default(),
            health: Health::default(),
            measures_intended: false,
            started: OnceLock::new(),
            marked_failed: AtomicBool::new(false),
            end: Mutex::new(None),
            stop: CancellationToken::new(),
            finished: OnceLock::new(),
            over: CancellationToken::new(),
            phase: AtomicU8::new(Phase::Created as u8),
            control: watch::Sender::new(Asked {
                paused,
                ..Asked::default()
            }),
            followed: watch::Sender::new(Asked::default()),
            functions: watch::Sender::new(None),
            tainted: AtomicBool::new(false),
            setup_data: Mutex::new(None),
            left_behind: Mutex::default(),
        }
    }

    /// The same run, with `http_req_intended_duration` if that is asked for.
    #[must_use]
    pub fn measuring_intended(self, measures_intended: bool) -> Self {
        Self {
            measures_intended,
            ..self
        }
    }

    /// Whether requests are also measured from the time at which their iteration was to start.
    pub fn measures_intended(&self) -> bool {
        self.measures_intended
    }

    /// The consolidated options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// `exec.test.options`: scenarios present, shortcuts removed.
    pub fn options_json(&self) -> &Value {
        self.options_json
            .get_or_init(|| self.options.to_script_json())
    }

    /// Marks the beginning of the scenarios.
    pub fn begin(&self) {
        self.started.get_or_init(Instant::now);
    }

    /// Time since the scenarios began.
    pub fn elapsed(&self) -> Duration {
        self.started.get().map(Instant::elapsed).unwrap_or_default()
    }

    /// Marks the end: [`Self::run_time`] stands still from now on.
    pub fn finish(&self) {
        self.finished.get_or_init(|| self.elapsed());
        self.over.cancel();
    }

    /// Time since the begin, at most to the end; `setup` and `teardown` count.
    pub fn run_time(&self) -> Duration {
        self.finished
            .get()
            .copied()
            .unwrap_or_else(|| self.elapsed())
    }

    /// Notes what the run is doing.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// What the run is doing, as the REST API's number.
    pub fn phase(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    /// Asks for something from outside.
    pub fn ask(&self, change: impl FnOnce(&mut Asked)) {
        self.control.send_modify(change);
    }

    /// What is asked for now.
    pub fn asked(&self) -> Asked {
        *self.control.borrow()
    }

    /// What is asked for, as it changes.
    pub(crate) fn control(&self) -> watch::Receiver<Asked> {
        self.control.subscribe()
    }

    /// Notes that this is how the scenarios are now.
    pub(crate) fn follow(&self, control: Asked) {
        self.followed.send_replace(control);
    }

    /// Waits until the scenarios have followed what is asked for now, or the run is at its end.
    pub async fn wait_until_followed(&self) {
        let wanted = self.asked();
        let mut followed = self.followed.subscribe();
        let done = followed.wait_for(|followed| *followed == wanted);
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.over.cancelled() => {}
            // The sender lives as long as this.
            _ = done => {}
        }
    }

    /// Whether the run is held.
    pub fn is_paused(&self) -> bool {
        self.control.borrow().paused
    }

    /// Waits as long as the begin is held back.
    pub async fn wait_while_paused(&self) {
        if self.is_paused() {
            self.enter(Phase::Paused);
        }
        // The sender lives as long as this.
        let _ = self.control().wait_for(|control| !control.paused).await;
    }

    /// The worker that runs functions of the script when they are asked for from outside.
    pub(crate) fn offer_functions(&self, worker: mpsc::WeakSender<Command>) {
        self.functions.send_replace(Some(worker));
    }

    /// Waits for the worker that runs functions; `None` when it has ended.
    pub(crate) async fn functions(&self) -> Option<mpsc::Sender<Command>> {
        let mut offered = self.functions.subscribe();
        let offered = offered.wait_for(Option::is_some).await.ok()?.clone();
        offered?.upgrade()
    }

    /// Notes whether a threshold is crossed at the moment.
    pub fn set_tainted(&self, tainted: bool) {
        self.tainted.store(tainted, Ordering::Relaxed);
    }

    /// Whether a threshold was crossed at the last look.
    pub fn is_tainted(&self) -> bool {
        self.tainted.load(Ordering::Relaxed)
    }

    /// Keeps what `setup` returned.
    pub fn set_setup_data(&self, data: Option<Arc<str>>) {
        *self
            .setup_data
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = data;
    }

    /// What `setup` returned.
    pub fn setup_data(&self) -> Option<Arc<str>> {
        self.setup_data
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes whose thread did not come back from the script: nobody waits for it, and what it has gathered
    /// is lost. Logged once for each.
    pub(crate) fn note_left_behind(&self, whose: &str, logger: &Logger) {
        let mut left = self
            .left_behind
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if left.iter().any(|known| known == whose) {
            return;
        }
        left.push(whose.to_owned());
        drop(left);
        logger.error(&format!(
            "{whose} did not stop when told to: its thread is left behind, and the samples that were taken \
             there since the last flush are lost"
        ));
    }

    /// Whose threads were left behind.
    pub fn left_behind(&self) -> Vec<String> {
        self.left_behind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// `exec.test.fail()`: the run goes on and ends with exit code 110.
    pub fn mark_failed(&self) {
        self.marked_failed.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::mark_failed`] was called.
    pub fn is_marked_failed(&self) -> bool {
        self.marked_failed.load(Ordering::Relaxed)
    }

    /// Ends the run now: every VU is interrupted. A run that has finished stays as it is.
    pub fn stop(&self, why: TestEnd) {
        if self.over.is_cancelled() {
            return;
        }
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.get_or_insert(why);
        drop(end);
        self.stop.cancel();
    }

    /// Why the run was ended, if it was.
    pub fn end(&self) -> Option<TestEnd> {
        self.end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Set when the run is ended by [`Self::stop`].
    pub fn stopped(&self) -> &CancellationToken {
        &self.stop
    }
}
