//! The detectors that can be asked, each with its guards and its state of health.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use resilience::budget::Budget;
use resilience::bulkhead::Bulkhead;
use resilience::latency::Latency;
use service_runtime::Shutdown;
use tokio::time::Instant;

use crate::config::DetectorSettings;
use crate::events::Events;
use crate::metrics::{DetectorMetrics, Metrics};
use crate::replicas::{Replica, Replicas};

/// Quantiles tell of the last one to two of these.
const LATENCY_WINDOW: Duration = Duration::from_secs(60);

/// One detector at run time.
pub struct Detector {
    pub settings: DetectorSettings,
    /// Its name for all who keep it.
    pub shared_name: Arc<str>,
    pub replicas: Replicas,
    pub budget: Budget,
    pub bulkhead: Bulkhead,
    pub metrics: DetectorMetrics,
    pub origin: Origin,
    /// Another one after every change: what was answered before is not its answer.
    pub instance: u64,
    /// Ends its health checks.
    pub stop: Shutdown,
    latency: Mutex<Latency>,
    probed: AtomicBool,
}

/// Where a detector was registered. Who may use the API is trusted less than who writes the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    File,
    Api,
}

impl Detector {
    pub fn new(
        settings: DetectorSettings,
        origin: Origin,
        (metrics, events): (&Arc<Metrics>, &Arc<Events>),
        stop: Shutdown,
    ) -> Self {
        Self {
            replicas: Replicas::new(&settings, metrics, events),
            budget: Budget::new(&settings.retry, Instant::now().into_std()),
            bulkhead: Bulkhead::new(settings.bulkhead),
            metrics: metrics.detector(&settings.name),
            latency: Mutex::new(Latency::new(LATENCY_WINDOW, Instant::now().into_std())),
            probed: AtomicBool::new(false),
            instance: next_instance(),
            origin,
            stop,
            shared_name: settings.name.as_str().into(),
            settings,
        }
    }

    /// Brings the gauge of its limit up to date.
    pub fn show_limit(&self) {
        let limits = self.replicas.iter().map(|replica| replica.gate.limit());
        self.metrics.limit.set(limits.map(i64::from).sum::<i64>());
    }

    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Counts a good first attempt that ended now.
    pub fn took(&self, duration: Duration, now: Instant) {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        latency.record(now.into_std(), duration);
    }

    /// The time within which this share of good first attempts was answered lately.
    pub fn usual_time(&self, share: f64) -> Option<Duration> {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        latency.quantile(Instant::now().into_std(), share, 1)
    }

    /// How long to wait before a second attempt is sent beside the first; `None`: never.
    pub fn hedge_delay(&self) -> Option<Duration> {
        if !self.settings.hedge.enabled {
            return None;
        }
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        self.settings
            .hedge
            .delay(&mut latency, Instant::now().into_std())
    }

    /// Whether health checks leave any of its endpoints in rotation. Until the first check they
    /// are.
    pub fn is_in_rotation(&self) -> bool {
        self.replicas.iter().any(Replica::is_in_rotation)
    }

    /// Whether a health check has seen it well.
    pub fn is_known_healthy(&self) -> bool {
        self.probed.load(Ordering::Relaxed) && self.is_in_rotation()
    }

    pub(crate) fn seen(&self, well: bool) {
        self.probed.fetch_or(well, Ordering::Relaxed);
    }
}

fn next_instance() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// All detectors, by name and alias, in the order of their configuration. Immutable: a change
/// makes a new one.
#[derive(Default)]
pub struct Registry {
    detectors: IndexMap<String, Arc<Detector>, RandomState>,
    aliases: HashMap<String, String, RandomState>,
    shadows: bool,
}

impl Registry {
    pub fn new(detectors: impl IntoIterator<Item = Arc<Detector>>) -> Self {
        let mut registry = Self::default();
        for detector in detectors {
            registry.shadows |= detector.settings.shadow_of.is_some();
            for alias in &detector.settings.aliases {
                registry
                    .aliases
                    .insert(alias.clone(), detector.name().to_owned());
            }
            registry
                .detectors
                .insert(detector.name().to_owned(), detector);
        }
        registry
    }

    /// The detector of this name or alias; a name wins over an alias.
    pub fn find(&self, name: &str) -> Option<&Arc<Detector>> {
        let own = self.detectors.get(name);
        own.or_else(|| self.detectors.get(self.aliases.get(name)?))
    }

    /// Whether a detector has this very name.
    pub fn has(&self, name: &str) -> bool {
        self.detectors.contains_key(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Detector>> {
        self.detectors.values()
    }

    /// Whether any detector is another one's shadow.
    pub fn has_shadows(&self) -> bool {
        self.shadows
    }

    /// This registry with one more, or with one replaced in its place.
    pub fn with(&self, detector: Arc<Detector>) -> Self {
        let mut all = self.detectors.clone();
        all.insert(detector.name().to_owned(), detector);
        Self::new(all.into_values())
    }

    /// This registry without one.
    pub fn without(&self, name: &str) -> Self {
        Self::new(
            self.iter()
                .filter(|detector| detector.name() != name)
                .cloned(),
        )
    }

    pub fn count(&self) -> usize {
        self.detectors.len()
    }
}
