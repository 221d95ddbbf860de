//! What all requests share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use detector_api::orchestrate::Priority;
use tokio_util::task::TaskTracker;

use crate::cache::{Cache, Key};
use crate::config::Config;
use crate::flights::Flights;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::registry::{Detector, Registry};
use crate::run::Answered;
use crate::transport::Transport;

/// One orchestrator.
pub struct App {
    pub config: Config,
    pub registry: ArcSwap<Registry>,
    pub metrics: Arc<Metrics>,
    pub cache: Cache,
    pub flights: Flights<(Key, Priority, u128), Arc<Answered>>,
    pub transport: Transport,
    pub default_policy: Arc<Policy>,
    /// Owns every task; shutdown waits for them.
    pub tasks: TaskTracker,
}

impl App {
    /// # Errors
    /// The metrics contradict each other, which a test rules out.
    pub fn new(config: Config) -> Result<Arc<Self>, prometheus::Error> {
        let metrics = Metrics::new(config.limits.label_values)?;
        let detectors = config
            .detectors
            .iter()
            .map(|it| Arc::new(Detector::new(it.clone(), &metrics)));
        let tasks = TaskTracker::new();
        Ok(Arc::new(Self {
            registry: ArcSwap::from_pointee(Registry::new(detectors)),
            cache: Cache::new(&config.cache),
            flights: Flights::new(tasks.clone()),
            transport: Transport::default(),
            default_policy: Arc::default(),
            metrics,
            tasks,
            config,
        }))
    }
}
