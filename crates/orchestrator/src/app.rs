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
use crate::invalidations::Invalidations;
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
use crate::store::redis::cache::SharedCache;
use crate::store::redis::jobs::SharedJobs;
use crate::store::redis::{LinkError, Redis, SharedLimiter};
use crate::store::{self, Embedded, JobStore, StoreError};
use crate::transport::Transport;

/// Why an orchestrator cannot start.
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
    pub config: Config,
    pub registry: ArcSwap<Registry>,
    pub metrics: Arc<Metrics>,
    pub cache: Cache,
    /// Single detectors' answers.
    pub answers: Arc<Answers>,
    pub invalidations: Arc<Invalidations>,
    pub overload: Overload,
    pub shadows: Shadows,
    /// The part of the cache that all replicas share.
    pub shared_cache: Option<SharedCache>,
    /// What replicas share their state through.
    pub redis: Option<Redis>,
    pub flights: Flights<(Key, Priority, ProcessingMode, u128), Arc<Answered>>,
    pub transport: Transport,
    pub policies: Policies,
    pub partials: Partials,
    pub events: Arc<Events>,
    pub store: JobStore,
    pub idempotency: Idempotency,
    pub limiter: Option<SharedLimiter>,
    pub shutdown: Shutdown,
    /// Held while the registry is changed; requests read it without.
    pub registry_change: tokio::sync::Mutex<()>,
    /// Owns every task; shutdown waits for them.
    pub tasks: TaskTracker,
}

impl App {
    /// Opens the store, which blocks.
    ///
    /// # Errors
    /// The store's file cannot be opened.
    pub fn new(config: Config, shutdown: Shutdown) -> Result<Arc<Self>, StartError> {
        let local = match config.store.clone() {
            Some(settings) => Embedded::open(settings)?,
            None => Embedded::open_on(InMemoryBackend::new(), store::Config::new(""))?,
        };
        let metrics = Metrics::new(config.limits.label_values)?;
        let redis = config.redis.clone();
        let redis = redis.map(|settings| Redis::new(settings, &metrics.registry));
        let redis = redis.transpose()?;
        let limiter = config.rate_limit.clone().map(|settings| {
            let alone = Limiter::new(settings, Instant::now().into_std());
            SharedLimiter::new(alone, redis.clone())
        });
        let events = Arc::new(Events::default());
        let detectors = config.detectors.iter().map(|settings| {
            let stop = shutdown.child_token();
            let shared = (&metrics, &events);
            let settings = settings.clone().under(&config.sla);
            Arc::new(Detector::new(settings, Origin::File, shared, stop))
        });
        let registry = Registry::new(detectors);
        let policies = Policies::default();
        for ((tenant, bundle), policy) in &config.policies {
            if let Err(error) = policies.put(tenant, bundle, policy.clone()) {
                tracing::error!(tenant, bundle, %error, "a policy was not taken over");
            }
        }
        let tasks = TaskTracker::new();
        let invalidations = Arc::new(Invalidations::default());
        Ok(Arc::new(Self {
            registry: ArcSwap::from_pointee(registry),
            cache: Cache::new(&config.cache),
            answers: Arc::new(Answers::new(&config.cache, invalidations.clone())),
            invalidations,
            overload: Overload::new(&config.overload, &config.sla),
            shadows: Shadows::default(),
            shared_cache: redis.clone().map(|redis| {
                SharedCache::new(redis, config.cache.ttl + config.cache.stale_if_error)
            }),
            flights: Flights::new(tasks.clone()),
            transport: Transport::new(config.registry_networks.clone().into(), config.threads),
            policies,
            partials: Partials::default(),
            idempotency: Idempotency::new(local.clone(), redis.clone()),
            store: jobs_in(local, redis.as_ref(), &config),
            redis,
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

    /// Whether a job that is taken now survives this process.
    pub fn keeps_jobs(&self) -> bool {
        let shared = |redis: &Redis| redis.is_connected() && redis.is_durable();
        self.config.store.is_some() || self.redis.as_ref().is_some_and(shared)
    }

    /// Begins to run jobs, where they survive.
    pub fn run_jobs(self: &Arc<Self>) {
        // With Redis always: it may become durable, and other replicas' jobs wait there.
        let any = self.config.store.is_some() || self.redis.is_some();
        for _ in 0..if any { jobs::WORKERS } else { 0 } {
            self.tasks.spawn(jobs::work(self.clone()));
        }
    }

    /// Begins to check a detector's health.
    pub fn watch(self: &Arc<Self>, detector: Arc<Detector>) {
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
        let detector = self.detector(settings, Origin::Api);
        self.registry.store(Arc::new(before.with(detector.clone())));
        let how = if old.is_some() { "replaced" } else { "added" };
        self.changed(&name, old.as_deref(), how).await;
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
        self.metrics.forget(&self.registry.load());
        self.changed(name, Some(old), "removed").await;
        true
    }

    /// Drops the metrics that late calls to removed detectors made. Not while the registry changes:
    /// a detector has its metrics before it is in there.
    pub fn forget_detectors(&self) {
        if let Ok(_unchanged) = self.registry_change.try_lock() {
            self.metrics.forget_again(&self.registry.load());
        }
    }

    /// A new detector of these settings, in no registry yet.
    pub fn detector(&self, settings: DetectorSettings, origin: Origin) -> Arc<Detector> {
        let stop = self.shutdown.child_token();
        let shared = (&self.metrics, &self.events);
        let settings = settings.under(&self.config.sla);
        Arc::new(Detector::new(settings, origin, shared, stop))
    }

    /// Ends the old detector of this name, drops what the cache holds of it, and tells.
    pub async fn changed(&self, name: &str, old: Option<&Detector>, how: &'static str) {
        if let Some(old) = old {
            old.stop.cancel();
        }
        let scope = Scope {
            detector: Some(name.to_owned()),
            ..Scope::default()
        };
        self.invalidate(&scope).await;
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

/// Where jobs are kept: in this machine's file, and in Redis where there is one.
fn jobs_in(local: Embedded, redis: Option<&Redis>, config: &Config) -> JobStore {
    let Some(redis) = redis else {
        return JobStore::Embedded(local);
    };
    let survives = config.store.is_some();
    let settings = config.store.clone();
    let settings = settings.unwrap_or_else(|| store::Config::new(""));
    let shared = SharedJobs::new(redis.clone(), local, settings);
    JobStore::Shared(if survives {
        shared
    } else {
        shared.without_file()
    })
}
