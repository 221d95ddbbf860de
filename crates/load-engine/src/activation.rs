//! The work of a VU for a scenario: its activation and its iterations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::script::Interrupt;
use crate::segment::Stripe;

/// The work that a scenario gives to a VU.
#[derive(Debug)]
pub struct Activation {
    /// The scenario.
    pub scenario: Arc<ScenarioState>,
    /// The function to run.
    pub function: String,
    /// Environment of the scenario, in addition to that of the process.
    pub env: Vec<(String, String)>,
    /// Tags of the scenario, in addition to those of the run. The tag `scenario` is among them when it is
    /// enabled.
    pub tags: Vec<(String, String)>,
    /// The result of `setup`, as JSON text.
    pub setup_data: Option<Arc<str>>,
    /// Ends the iterations of this activation.
    pub interrupt: Interrupt,
}

/// The state of the scenario that `k6/execution` reports.
#[derive(Debug)]
pub struct ScenarioState {
    /// Its name.
    pub name: String,
    /// The executor's name, such as `ramping-vus`.
    pub executor: &'static str,
    /// When it began.
    pub started: Instant,
    /// The same in milliseconds since 1970.
    pub started_unix_ms: i64,
    /// Its planned time, for executors with a duration.
    pub duration: Option<Duration>,
    /// Iterations begun and planned, for executors with a number of iterations (planned 0: with a duration).
    pub planned_iterations: u64,
    /// Iterations begun on this instance.
    pub begun: AtomicU64,
    /// Iterations that completed.
    pub completed: AtomicU64,
    /// Iterations that were interrupted.
    pub interrupted: AtomicU64,
    /// Active VUs.
    pub vus_active: AtomicU64,
    /// Iterations that VUs were to run on their own and did not, one entry per VU with some left.
    pub(crate) undone: Mutex<Vec<u64>>,
    /// The iteration numbers of the whole test that belong to this instance.
    pub(crate) stripe: Stripe,
}

impl ScenarioState {
    /// Records the iterations that a VU was to run and did not.
    pub(crate) fn note_undone(&self, count: u64) {
        if count > 0 {
            let mut undone = self.undone.lock().unwrap_or_else(PoisonError::into_inner);
            undone.push(count);
        }
    }

    /// The iterations that VUs were to run and did not, one entry per VU.
    pub(crate) fn take_undone(&self) -> Vec<u64> {
        std::mem::take(&mut self.undone.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The progress of the scenario, 0 to 1.
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

/// The numbers of an iteration, all from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Iteration {
    /// The number among the iterations of this VU (`__ITER`).
    pub in_vu: u64,
    /// The number among those of this VU in this scenario.
    pub in_vu_scenario: u64,
    /// The number in the scenario on this instance.
    pub in_instance: u64,
    /// The number in the scenario over all instances.
    pub in_test: u64,
    /// Its planned start, for executors that have one.
    pub scheduled: Option<Instant>,
    /// The delay of the start after that.
    pub late: Duration,
}

/// How an iteration ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IterationEnd {
    /// It completed.
    Completed,
    /// An exception ended it, which has been logged.
    Failed,
    /// It was interrupted.
    Interrupted,
    /// The script aborted the whole test (`exec.test.abort`), with this message.
    Aborted(String),
}
