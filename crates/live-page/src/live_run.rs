//! The state of a page, shared by its writers and readers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use load_engine::log::LogEntry;
use report::RunRecord;
use report::record::{Event, Judgement, LoadModel};

use super::exceptions::Exceptions;
use super::measured::Measured;

/// The state of a run; clones share it.
#[derive(Debug, Clone, Default)]
pub struct LiveRun(Arc<Mutex<Shown>>);

/// The progress of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Nothing has been measured yet.
    #[default]
    Starting,
    /// It waits for a manual start.
    Waiting,
    Running,
    /// It was told to stop.
    Stopping,
    Ended,
}

/// A phase of the plan, in seconds from the start of the test.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    pub name: String,
    pub begin_s: f64,
    pub end_s: f64,
    pub judged: bool,
}

/// A class of users, as `/tasks` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct UserClass {
    pub name: String,
    /// The share of its users, relative to those of the other classes.
    pub weight: f64,
    /// The tasks of its users, by name: how often each is chosen, relative to the others.
    pub tasks: Vec<Task>,
}

/// A task of a class of users.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub name: String,
    pub weight: f64,
}

/// Everything that is shown.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// The run's name: its suite, or its script.
    pub title: String,
    pub target: String,
    pub stage: Stage,
    /// The test that runs.
    pub test: String,
    pub model: LoadModel,
    pub classes: Vec<UserClass>,
    /// When the first sample of the test was taken, in milliseconds since 1970.
    pub origin_ms: Option<i64>,
    pub measured: Measured,
    pub phases: Vec<Phase>,
    pub judgements: Vec<Judgement>,
    pub events: Vec<Event>,
    /// The tests that have ended.
    pub finished: Option<RunRecord>,
    /// Why the run ended before its planned end.
    pub broken_off: Option<String>,
    /// Lines of the log, the newest last.
    pub log: VecDeque<String>,
    /// Exceptions of the test's script.
    pub exceptions: Exceptions,
}

/// Maximum number of log lines, and of characters of each.
const MOST_LINES: usize = 500;
const LONGEST_LINE: usize = 2000;
/// Maximum number of events of a test.
const MOST_EVENTS: usize = 200;

impl LiveRun {
    /// The live run of this name against this target.
    pub fn new(title: &str, target: &str) -> Self {
        let shown = Shown {
            title: title.to_owned(),
            target: target.to_owned(),
            ..Shown::default()
        };
        Self(Arc::new(Mutex::new(shown)))
    }

    /// A test starts; the measurements of the previous one are dropped.
    pub fn begin(&self, test: &str, model: LoadModel, classes: Vec<UserClass>) {
        let mut shown = self.lock();
        shown.stage = Stage::Running;
        test.clone_into(&mut shown.test);
        shown.model = model;
        shown.classes = classes;
        shown.measured = Measured::default();
        shown.origin_ms = None;
        shown.phases.clear();
        shown.judgements.clear();
        shown.events.clear();
        shown.exceptions = Exceptions::default();
    }

    /// The record of the run with the tests that have ended.
    pub fn finished(&self, record: &RunRecord) {
        let mut shown = self.lock();
        shown.finished = Some(record.clone());
        // Its last test is now shown from the record.
        shown.measured = Measured::default();
        shown.exceptions = Exceptions::default();
        shown.test.clear();
    }

    pub fn stage(&self) -> Stage {
        self.lock().stage
    }

    pub fn set_stage(&self, stage: Stage) {
        self.lock().stage = stage;
    }

    /// The current number of users, if measured.
    pub fn users(&self) -> Option<f64> {
        self.lock().measured.current_users()
    }

    /// Adds an event at the current time.
    pub fn note(&self, kind: report::record::EventKind, text: &str) {
        let mut shown = self.lock();
        let at_s = shown.measured.last_s();
        if shown.events.len() < MOST_EVENTS {
            let detail = serde_json::Value::Null;
            shown.events.push(Event {
                at_s,
                kind,
                text: text.to_owned(),
                detail,
            });
        }
    }

    /// Resets the measurements; the record of the run keeps them.
    pub fn reset(&self) {
        let mut shown = self.lock();
        shown.measured.reset();
        shown.exceptions = Exceptions::default();
    }

    /// Adds an entry of the driver's log, whose line is `line`.
    pub fn log(&self, entry: &LogEntry<'_>, line: &str) {
        let mut shown = self.lock();
        shown.exceptions.hear(entry);
        if shown.log.len() >= MOST_LINES {
            shown.log.pop_front();
        }
        shown
            .log
            .push_back(line.chars().take(LONGEST_LINE).collect());
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
