//! One orchestrator: answering, catalog, jobs.

#[cfg(test)]
mod outage;

use std::sync::Arc;
use std::time::SystemTime;

use job_store::medium::Memory;
use job_store::redis::{LinkError, Redis};
use job_store::{Embedded, StoreError};
use service_runtime::Shutdown;
use tokio_util::task::TaskTracker;

use crate::answering::{Answering, Parts};
use crate::ask::health::Checks;
use crate::ask::transport::Transport;
use crate::catalog::{Catalog, Owner};
use crate::config::Config;
use crate::events::Events;
use crate::jobs::Jobs;
use crate::metrics::Metrics;
use crate::share::answer_store::AnswerStore;

/// The reason why an orchestrator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the job store cannot be opened; is another process using its file?")]
    Store(#[source] StoreError),
    #[error("the job store cannot be read")]
    Key(#[source] StoreError),
    #[error(transparent)]
    Redis(#[from] LinkError),
    #[error("the metrics contradict each other")]
    Metrics(#[from] prometheus::Error),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Sealed(_) | StoreError::KeyFile(_) => Self::Key(error),
            error => Self::Store(error),
        }
    }
}

/// One orchestrator.
pub struct App {
    pub config: Arc<Config>,
    pub answering: Arc<Answering>,
    pub catalog: Arc<Catalog>,
    pub jobs: Jobs,
    pub events: Arc<Events>,
    pub metrics: Arc<Metrics>,
    pub shutdown: Shutdown,
    /// Owns all tasks; shutdown waits for them.
    pub tasks: TaskTracker,
}

impl App {
    /// Opens the store; this blocks.
    ///
    /// # Errors
    /// The store's file cannot be opened.
    pub fn new(config: Config, shutdown: Shutdown) -> Result<Arc<Self>, StartError> {
        let local = match config.store.clone() {
            Some(settings) => Embedded::open(settings)?,
            None => {
                let memory = Memory::new();
                Embedded::open_on(move || memory.clone(), job_store::Config::new(""))?
            }
        };
        Self::on(local, config, shutdown)
    }

    /// The same with an open store.
    fn on(local: Embedded, config: Config, shutdown: Shutdown) -> Result<Arc<Self>, StartError> {
        let config = Arc::new(config);
        let metrics = Metrics::new(config.limits.label_values)?;
        let redis = config.redis.clone();
        let redis = redis.map(|settings| Redis::new(settings, &metrics.registry));
        let redis = redis.transpose()?;
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let start_ms = since_1970.unwrap_or_default().as_millis() as u64;
        let events = Arc::new(Events::new(start_ms));
        let tasks = TaskTracker::new();
        let transport = Transport::new(
            config.registry_networks.clone().into(),
            config.threads,
            config.connections,
        );
        let answers = Arc::new(AnswerStore::new(&config.cache, redis.clone()));
        let checks = Checks {
            config: config.health.clone(),
            transport: transport.clone(),
            metrics: metrics.clone(),
            events: events.clone(),
        };
        let owner = Owner {
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
        };
        let catalog = Catalog::new(config.clone(), answers.clone(), checks, owner);
        let catalog = Arc::new(catalog);
        let parts = Parts {
            config: config.clone(),
            catalog: catalog.clone(),
            answers,
            metrics: metrics.clone(),
            transport,
            tasks: tasks.clone(),
        };
        Ok(Arc::new(Self {
            answering: Arc::new(Answering::new(parts, redis.clone())),
            catalog,
            jobs: Jobs::new(local, redis, &config),
            events,
            metrics,
            shutdown,
            tasks,
            config,
        }))
    }
}
