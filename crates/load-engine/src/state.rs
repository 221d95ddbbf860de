//! The state that all threads of a run share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::call::Call;
use crate::exchanges::Exchanges;
use crate::health::Health;
use crate::log::Logger;
use crate::options::Options;
use crate::results::Standings;

/// Counters of this process, read by `k6/execution`.
#[derive(Debug, Default)]
pub struct Instance {
    /// Iterations that completed.
    pub iterations_completed: AtomicU64,
    /// Completed iterations that an exception ended.
    pub iterations_failed: AtomicU64,
    /// Iterations that were interrupted.
    pub iterations_interrupted: AtomicU64,
    /// VUs that run a scenario now.
    pub vus_active: AtomicU64,
    /// VUs that exist.
    pub vus_initialized: AtomicU64,
}

/// The reason why a run was stopped. Only the first reason is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestEnd {
    /// `exec.test.abort(message)`, with the text for the log.
    ScriptAborted(String),
    /// A signal.
    Signal(String),
    /// A threshold with `abortOnFail`.
    ThresholdsCrossed,
    /// The REST API.
    RestApi,
    /// The collector of a run on several machines, with its reason.
    Collector(String),
}

/// The shared state of a run.
#[derive(Debug)]
pub struct RunState {
    options: Arc<Options>,
    options_json: OnceLock<Value>,
    /// Counters.
    pub instance: Instance,
    /// The health of the driver itself.
    pub health: Health,
    measures_intended: bool,
    measures_content: bool,
    exchanges: Option<Arc<Exchanges>>,
    started: OnceLock<Instant>,
    marked_failed: AtomicBool,
    end: Mutex<Option<TestEnd>>,
    /// When the run was stopped, in milliseconds since 1970.
    stopped_unix_ms: OnceLock<i64>,
    stop: CancellationToken,
    finished: OnceLock<Duration>,
    /// Set when the run has ended completely.
    over: CancellationToken,
    phase: AtomicU8,
    control: watch::Sender<RunControl>,
    /// Numbers of users that were set manually, by scenario.
    users: watch::Sender<Option<Arc<BTreeMap<String, u64>>>>,
    /// The last control that the scenarios have applied.
    followed: watch::Sender<RunControl>,
    functions: watch::Sender<Option<mpsc::WeakSender<Call>>>,
    tainted: AtomicBool,
    standings: Standings,
    setup_data: Mutex<Option<Arc<str>>>,
    left_behind: Mutex<Vec<String>>,
}

/// The settings of a run through the REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunControl {
    /// The run is paused: before its start, and later if it is externally controlled.
    pub paused: bool,
    /// Active VUs of an externally controlled scenario; `None` means as configured.
    pub vus: Option<u64>,
    /// Its upper limit of VUs.
    pub most_vus: Option<u64>,
}

/// The status of a run, with the numbers of k6's REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing yet.
    Created = 0,
    /// VUs are being made.
    InitVus = 1,
    /// VUs are made.
    InitDone = 3,
    /// The run waits to be resumed before it begins.
    Paused = 4,
    /// `setup` runs.
    Setup = 6,
    /// Scenarios run.
    Running = 7,
    /// `teardown` runs.
    Teardown = 8,
    /// The run has ended.
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
            measures_content: false,
            exchanges: None,
            started: OnceLock::new(),
            marked_failed: AtomicBool::new(false),
            end: Mutex::new(None),
            stopped_unix_ms: OnceLock::new(),
            stop: CancellationToken::new(),
            finished: OnceLock::new(),
            over: CancellationToken::new(),
            phase: AtomicU8::new(Phase::Created as u8),
            control: watch::Sender::new(RunControl {
                paused,
                ..RunControl::default()
            }),
            users: watch::Sender::new(None),
            followed: watch::Sender::new(RunControl::default()),
            functions: watch::Sender::new(None),
            tainted: AtomicBool::new(false),
            standings: Standings::default(),
            setup_data: Mutex::new(None),
            left_behind: Mutex::default(),
        }
    }

    /// The same run, which measures durations from the planned time of sending if requested.
    #[must_use]
    pub fn measuring_intended(self, measures_intended: bool) -> Self {
        Self {
            measures_intended,
            ..self
        }
    }

    /// The same run, which measures the sizes of decoded bodies if requested.
    #[must_use]
    pub fn measuring_content(self, measures_content: bool) -> Self {
        Self {
            measures_content,
            ..self
        }
    }

    /// The same run, which records the outcome of each request in this log.
    #[must_use]
    pub fn telling(self, exchanges: Option<Arc<Exchanges>>) -> Self {
        Self { exchanges, ..self }
    }

    /// The log of the outcomes of requests, if there is one.
    pub fn exchanges(&self) -> Option<&Arc<Exchanges>> {
        self.exchanges.as_ref()
    }

    /// The same run, which publishes its thresholds here.
    #[must_use]
    pub fn showing(self, standings: Standings) -> Self {
        Self { standings, ..self }
    }

    /// The current state of the thresholds.
    pub fn standings(&self) -> &Standings {
        &self.standings
    }

    /// Whether requests are also measured from the planned start of their iteration.
    pub fn measures_intended(&self) -> bool {
        self.measures_intended
    }

    /// Whether the bodies of responses are measured.
    pub fn measures_content(&self) -> bool {
        self.measures_content
    }

    /// The consolidated options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// `exec.test.options`: with scenarios, without shortcuts.
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

    /// Marks the end: [`Self::run_time`] is constant from now on.
    pub fn finish(&self) {
        self.finished.get_or_init(|| self.elapsed());
        self.over.cancel();
    }

    /// Time since the beginning, until the end; includes `setup` and `teardown`.
    pub fn run_time(&self) -> Duration {
        self.finished
            .get()
            .copied()
            .unwrap_or_else(|| self.elapsed())
    }

    /// Sets the status of the run.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// The status of the run, as the REST API's number.
    pub fn phase(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    /// Changes the control of the run; scenarios follow it.
    pub fn change_control(&self, change: impl FnOnce(&mut RunControl)) {
        self.control.send_modify(change);
    }

    /// The current control.
    pub fn control(&self) -> RunControl {
        *self.control.borrow()
    }

    /// Sets the number of users of the named `ramping-vus` scenarios, which from now on replaces their stages.
    pub fn set_users(&self, by_scenario: BTreeMap<String, u64>) {
        self.users.send_replace(Some(Arc::new(by_scenario)));
    }

    /// The numbers of users that are set manually, as they change.
    pub(crate) fn watch_users(&self) -> watch::Receiver<Option<Arc<BTreeMap<String, u64>>>> {
        self.users.subscribe()
    }

    /// A receiver of changes of the control.
    pub(crate) fn watch_control(&self) -> watch::Receiver<RunControl> {
        self.control.subscribe()
    }

    /// Records that the scenarios have applied this control.
    pub(crate) fn follow(&self, control: RunControl) {
        self.followed.send_replace(control);
    }

    /// Waits until the scenarios have applied the current control, or the run has ended.
    pub async fn wait_until_followed(&self) {
        let wanted = self.control();
        let mut followed = self.followed.subscribe();
        let done = followed.wait_for(|followed| *followed == wanted);
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.over.cancelled() => {}
            // The sender lives as long as `self`.
            _ = done => {}
        }
    }

    /// Whether the run is paused.
    pub fn is_paused(&self) -> bool {
        self.control.borrow().paused
    }

    /// Waits while the start is paused.
    pub async fn wait_while_paused(&self) {
        if self.is_paused() {
            self.enter(Phase::Paused);
        }
        // The sender lives as long as `self`.
        let _ = self
            .watch_control()
            .wait_for(|control| !control.paused)
            .await;
    }

    /// Sets the worker that runs functions of the script on external request.
    pub(crate) fn offer_functions(&self, worker: mpsc::WeakSender<Call>) {
        self.functions.send_replace(Some(worker));
    }

    /// Waits for the worker that runs functions; `None` when it has ended.
    pub(crate) async fn functions(&self) -> Option<mpsc::Sender<Call>> {
        let mut offered = self.functions.subscribe();
        let offered = offered.wait_for(Option::is_some).await.ok()?.clone();
        offered?.upgrade()
    }

    /// Records whether a threshold is crossed now.
    pub fn set_tainted(&self, tainted: bool) {
        self.tainted.store(tainted, Ordering::Relaxed);
    }

    /// Whether a threshold was crossed at the last evaluation.
    pub fn is_tainted(&self) -> bool {
        self.tainted.load(Ordering::Relaxed)
    }

    /// Stores the result of `setup`.
    pub fn set_setup_data(&self, data: Option<Arc<str>>) {
        *self
            .setup_data
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = data;
    }

    /// The result of `setup`.
    pub fn setup_data(&self) -> Option<Arc<str>> {
        self.setup_data
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Records a VU or worker whose thread did not return from the script: it is abandoned, and its samples are
    /// lost. Logged once for each.
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

    /// VUs and workers whose threads were abandoned.
    pub fn left_behind(&self) -> Vec<String> {
        self.left_behind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// `exec.test.fail()`: the run continues and ends with exit code 110.
    pub fn mark_failed(&self) {
        self.marked_failed.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::mark_failed`] was called.
    pub fn is_marked_failed(&self) -> bool {
        self.marked_failed.load(Ordering::Relaxed)
    }

    /// Ends the run now: every VU is interrupted. A finished run does not change.
    pub fn stop(&self, why: TestEnd) {
        if self.over.is_cancelled() {
            return;
        }
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.get_or_insert(why);
        drop(end);
        self.stopped_unix_ms.get_or_init(|| {
            let unix = SystemTime::now().duration_since(UNIX_EPOCH);
            i64::try_from(unix.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
        });
        self.stop.cancel();
    }

    /// The reason why the run was stopped, if it was.
    pub fn end(&self) -> Option<TestEnd> {
        self.end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// When the run was stopped by [`Self::stop`], in milliseconds since 1970; `None` if it was not.
    pub fn stopped_unix_ms(&self) -> Option<i64> {
        self.stopped_unix_ms.get().copied()
    }

    /// Set when the run is stopped by [`Self::stop`].
    pub fn stopped(&self) -> &CancellationToken {
        &self.stop
    }
}
