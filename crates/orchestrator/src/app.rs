//! What all requests share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use detector_api::orchestrate::{Priority, ProcessingMode};
use redb::backends::InMemoryBackend;
use service_runtime::Shutdown;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::answers::Answers;
use crate::cache::{Cache, Key, Scope};
use crate::config::{Config, DetectorSettings};
use crate::events::{Events, Kind};
use crate::flights::Flights;
use crate::health;
use crate::jobs;
use crate::metrics::Metrics;
use crate::overload::Overload;
use crate::partials::Partials;
use crate::policies::Policies;
use crate::rate_limit::Limiter;
use crate::registry::{Detector, Origin, Registry};
use crate::run::Answered;
use crate::shadow::Shadows;
use crate::store::idempotency::Idempotency;
use crate::store::{self, Embedded, JobStore, StoreError};
use crate::transport::Transport;

/// Why an orchestrator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the job store cannot be opened; is another process using its file?")]
    Store(#[from] StoreError),
    #[error("the metrics contradict each other")]
    Metrics(#[from] prometheus::Error),
}

/// One orchestrator.
pub struct App {
    pub config: Config,
    pub registry: ArcSwap<Registry>,
    pub metrics: Arc<Metrics>,
    pub cache: Cache,
    /// Single detectors' answers.
    pub answers: Arc<Answers>,
    pub overload: Overload,
    pub shadows: Shadows,
    pub flights: Flights<(Key, Priority, ProcessingMode, u128), Arc<Answered>>,
    pub transport: Transport,
    pub policies: Policies,
    pub partials: Partials,
    pub events: Arc<Events>,
    pub store: JobStore,
    /// Whether the store survives the process.
    pub durable: bool,
    pub idempotency: Idempotency,
    pub limiter: Option<Limiter>,
    pub shutdown: Shutdown,
    /// Held while the registry is changed; requests read it without.
    registry_change: tokio::sync::Mutex<()>,
    /// Owns every task; shutdown waits for them.
    pub tasks: TaskTracker,
}

impl App {
    /// Opens the store, which blocks.
    ///
    /// # Errors
    /// The store's file cannot be opened.
    pub fn new(config: Config, shutdown: Shutdown) -> Result<Arc<Self>, StartError> {
        let durable = config.store.is_some();
        let store = match config.store.clone() {
            Some(settings) => Embedded::open(settings)?,
            None => Embedded::open_on(InMemoryBackend::new(), store::Config::new(""))?,
        };
        let limiter = config.rate_limit.clone();
        let limiter = limiter.map(|settings| Limiter::new(settings, Instant::now().into_std()));
        let metrics = Metrics::new(config.limits.label_values)?;
        let events = Arc::new(Events::default());
        let detectors = config.detectors.iter().map(|settings| {
            let stop = shutdown.child_token();
            let shared = (&metrics, &events);
            Arc::new(Detector::new(settings.clone(), Origin::File, shared, stop))
        });
        let registry = Registry::new(detectors);
        let tasks = TaskTracker::new();
        Ok(Arc::new(Self {
            registry: ArcSwap::from_pointee(registry),
            cache: Cache::new(&config.cache),
            answers: Arc::new(Answers::new(&config.cache)),
            overload: Overload::new(&config.overload),
            shadows: Shadows::default(),
            flights: Flights::new(tasks.clone()),
            transport: Transport::new(config.registry_networks.clone().into()),
            policies: Policies::default(),
            partials: Partials::default(),
            idempotency: Idempotency::new(store.clone(), None),
            store: JobStore::Embedded(store),
            durable,
            limiter,
            registry_change: tokio::sync::Mutex::default(),
            shutdown,
            events,
            metrics,
            tasks,
            config,
        }))
    }

    /// Begins to check every detector's health.
    pub fn watch_detectors(self: &Arc<Self>) {
        for detector in self.registry.load().iter() {
            self.watch(detector.clone());
        }
    }

    /// Begins to run jobs, where they survive.
    pub fn run_jobs(self: &Arc<Self>) {
        let workers = if self.durable { jobs::WORKERS } else { 0 };
        for _ in 0..workers {
            self.tasks.spawn(jobs::work(self.clone()));
        }
    }

    fn watch(self: &Arc<Self>, detector: Arc<Detector>) {
        self.tasks.spawn(health::watch(self.clone(), detector));
    }

    /// Puts a detector into the registry in the place of the one of this name, if there is one,
    /// and drops what the cache holds of it. With `replace` unset an existing one is kept.
    /// Whether it was put there.
    pub async fn register(self: &Arc<Self>, settings: DetectorSettings, replace: bool) -> bool {
        let _change = self.registry_change.lock().await;
        let before = self.registry.load_full();
        let name = settings.name.clone();
        let old = before.iter().find(|it| it.name() == name).cloned();
        if old.is_some() && !replace {
            return false;
        }
        let stop = self.shutdown.child_token();
        let shared = (&self.metrics, &self.events);
        let detector = Arc::new(Detector::new(settings, Origin::Api, shared, stop));
        self.registry.store(Arc::new(before.with(detector.clone())));
        self.changed(
            &name,
            old.as_deref(),
            if old.is_some() { "replaced" } else { "added" },
        );
        self.watch(detector);
        true
    }

    /// Takes a detector out of the registry; whether there was one. Calls under way end as they
    /// would have.
    pub async fn unregister(&self, name: &str) -> bool {
        let _change = self.registry_change.lock().await;
        let before = self.registry.load_full();
        let Some(old) = before.iter().find(|it| it.name() == name) else {
            return false;
        };
        self.registry.store(Arc::new(before.without(name)));
        self.metrics.forget(name);
        self.changed(name, Some(old), "removed");
        true
    }

    fn changed(&self, name: &str, old: Option<&Detector>, how: &'static str) {
        if let Some(old) = old {
            old.stop.cancel();
        }
        let scope = Scope {
            detector: Some(name.to_owned()),
            ..Scope::default()
        };
        self.cache.invalidate(&scope);
        self.answers.invalidate(&scope);
        let from = if old.is_some() {
            "registered"
        } else {
            "unknown"
        };
        let to = if how == "removed" {
            "unknown"
        } else {
            "registered"
        };
        self.events
            .changed(Kind::Registry, (name, None), (from, to), how);
    }
}
