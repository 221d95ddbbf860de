//! Handover of runs from clients that no longer wait (`Prefer: respond-async`) to jobs, so that detectors are
//! not asked again.

use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache as QuickCache;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::error::ApiError;
use crate::request::reply::SharedResult;

/// The maximum number of runs that wait for their job. Beyond it, one is cancelled, and its job starts
/// again.
const WAITING: usize = 1_000;

/// A run in progress. Dropping it cancels the run.
pub type Run = AbortOnDropHandle<Result<SharedResult, ApiError>>;

/// The runs of this process that wait for their jobs.
pub struct Handover {
    runs: QuickCache<Uuid, Arc<Mutex<Option<Run>>>>,
}

impl Default for Handover {
    fn default() -> Self {
        Self {
            runs: QuickCache::new(WAITING),
        }
    }
}

impl Handover {
    /// Leaves a run for the job with this name.
    pub fn leave(&self, run: JoinHandle<Result<SharedResult, ApiError>>) -> Uuid {
        let name = Uuid::new_v4();
        let run = AbortOnDropHandle::new(run);
        self.runs.insert(name, Arc::new(Mutex::new(Some(run))));
        name
    }

    /// The run with this name. `None` if another process started it, or it was cancelled.
    pub fn take(&self, name: Uuid) -> Option<Run> {
        let (_, run) = self.runs.remove(&name)?;
        run.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
