//! What all threads of a run share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::options::Options;

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
    /// `exec.test.abort(message)`.
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
    started: OnceLock<Instant>,
    marked_failed: AtomicBool,
    end: Mutex<Option<TestEnd>>,
    stop: CancellationToken,
}

impl RunState {
    /// A run with these (consolidated) options that has not begun.
    pub fn new(options: Arc<Options>) -> Self {
        Self {
            options,
            options_json: OnceLock::new(),
            instance: Instance::default(),
            started: OnceLock::new(),
            marked_failed: AtomicBool::new(false),
            end: Mutex::new(None),
            stop: CancellationToken::new(),
        }
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

    /// `exec.test.fail()`: the run goes on and ends with exit code 110.
    pub fn mark_failed(&self) {
        self.marked_failed.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::mark_failed`] was called.
    pub fn is_marked_failed(&self) -> bool {
        self.marked_failed.load(Ordering::Relaxed)
    }

    /// Ends the run now: every VU is interrupted.
    pub fn stop(&self, why: TestEnd) {
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
