//! Jobs: requests that are answered later, and responses that are stored for a key.

pub mod handover;
pub mod worker;

use std::time::Duration;

use detector_api::orchestrate::ErrorCode;
use job_store::idempotency::Idempotency;
use job_store::redis::Redis;
use job_store::redis::jobs::SharedJobs;
use job_store::{Embedded, JobStore, StoreError};

use self::handover::Handover;
use crate::ask::registry::Registry;
use crate::config::Config;
use crate::error::ApiError;

/// The number of concurrent jobs of this process.
pub const WORKERS: usize = 16;
/// The estimated duration of a job while nothing is known about its detectors.
const USUAL: Duration = Duration::from_secs(1);
/// The pause after the disk failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The jobs of one orchestrator.
pub struct Jobs {
    pub store: JobStore,
    pub idempotency: Idempotency,
    pub handover: Handover,
    /// The connection through which replicas share state.
    pub redis: Option<Redis>,
    /// Whether the local store is a file that survives the process.
    has_file: bool,
}

impl Jobs {
    /// Stored responses, in `local` and, if configured, in Redis.
    pub fn new(local: Embedded, redis: Option<Redis>, config: &Config) -> Self {
        Self {
            idempotency: Idempotency::new(local.clone(), redis.clone()),
            store: store(local, redis.as_ref(), config),
            handover: Handover::default(),
            redis,
            has_file: config.store.is_some(),
        }
    }

    /// Whether a job that is accepted now survives this process.
    pub fn are_kept(&self) -> bool {
        self.has_file || self.is_shared_durably()
    }

    /// Whether jobs and responses can be stored now, in the file or in Redis.
    pub fn can_keep(&self) -> bool {
        self.store.local().is_well() || self.is_shared_durably()
    }

    /// The number of workers: none if jobs are not durable. With Redis always some, since it may become durable
    /// and has jobs of other replicas.
    pub fn workers(&self) -> usize {
        if self.has_file || self.redis.is_some() {
            WORKERS
        } else {
            0
        }
    }

    fn is_shared_durably(&self) -> bool {
        let shared = |redis: &Redis| redis.is_connected() && redis.is_durable();
        self.redis.as_ref().is_some_and(shared)
    }
}

fn store(local: Embedded, redis: Option<&Redis>, config: &Config) -> JobStore {
    let Some(redis) = redis else {
        return JobStore::Embedded(local);
    };
    let survives = config.store.is_some();
    let settings = config.store.clone();
    let settings = settings.unwrap_or_else(|| job_store::Config::new(""));
    let shared = SharedJobs::new(redis.clone(), local, settings);
    JobStore::Shared(if survives {
        shared
    } else {
        shared.without_file()
    })
}

/// A store's error as a client sees it.
pub fn refused(error: &StoreError) -> ApiError {
    match error {
        StoreError::NotFound => {
            ApiError::new(ErrorCode::JobNotFound, "no such job, or it has expired")
        }
        StoreError::Ended(state) => ApiError::new(
            ErrorCode::Conflict,
            format!("the job has already ended: {state}"),
        ),
        StoreError::Full { .. } => {
            ApiError::new(ErrorCode::Overloaded, error.to_string()).after(Duration::from_secs(5))
        }
        StoreError::Away => {
            ApiError::new(ErrorCode::Overloaded, error.to_string()).after(Duration::from_secs(5))
        }
        // The writer has logged it.
        StoreError::Disk(_) | StoreError::Closed => {
            ApiError::new(ErrorCode::Overloaded, error.to_string()).after(AFTER_FAILURE)
        }
        StoreError::Sealed(cause) => {
            tracing::error!(%cause, "the job store contains an entry that cannot be decrypted");
            let message = format!("the stored entry cannot be decrypted: {cause}");
            ApiError::new(ErrorCode::InternalError, message)
        }
        StoreError::Fenced | StoreError::KeyFile(_) => {
            tracing::error!(%error, "the job store failed");
            ApiError::new(
                ErrorCode::InternalError,
                "the job store failed; see the log",
            )
        }
    }
}

/// The expected duration of a job, from recent latencies of its detectors.
pub fn estimate(registry: &Registry) -> Duration {
    let slowest = registry
        .iter()
        .filter_map(|detector| detector.usual_time(0.95))
        .max();
    slowest.unwrap_or(USUAL)
}
