//! The registered detectors, each with its guards and its health, and the resolution of names.

mod name;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use resilience::budget::Budget;
use resilience::bulkhead::Bulkhead;
use resilience::latency::Latency;
use service_runtime::Shutdown;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

pub use self::name::{DetectorName, SpelledName};
use crate::ask::replicas::{Replica, Replicas};
use crate::ask::trust::RegistrationSource;
use crate::config::DetectorSettings;
use crate::events::Events;
use crate::metrics::{DetectorMetrics, Metrics};

/// The period of quantiles, which cover the last one to two of them.
const LATENCY_WINDOW: Duration = Duration::from_secs(60);

/// The size up to which content is usual for every detector.
const USUAL_BYTES: usize = 8 << 10;

/// One detector at run time.
pub struct Detector {
    pub settings: DetectorSettings,
    pub name: DetectorName,
    /// SHA-256 of everything that its answers and their effect depend on. It is part of the key of all its
    /// cached answers, so that no replica, even after a restart, uses an answer of another detector with the
    /// same name.
    pub meaning: [u8; 32],
    pub replicas: Replicas,
    pub budget: Budget,
    pub bulkhead: Bulkhead,
    pub metrics: DetectorMetrics,
    pub origin: RegistrationSource,
    /// Different after every change: earlier answers are not its own.
    pub instance: u64,
    /// Ends its health checks.
    pub stop: Shutdown,
    latency: Mutex<Latency>,
    probed: AtomicBool,
    /// The bytes of the longest content that it has answered.
    longest: AtomicUsize,
}

/// The observers of a detector's events.
#[derive(Clone, Copy)]
pub struct Observers<'a> {
    pub metrics: &'a Arc<Metrics>,
    pub events: &'a Arc<Events>,
}

impl Detector {
    pub fn new(
        settings: DetectorSettings,
        origin: RegistrationSource,
        observers: Observers<'_>,
        stop: Shutdown,
    ) -> Self {
        let Observers { metrics, events } = observers;
        Self {
            replicas: Replicas::new(&settings, metrics, events),
            budget: Budget::new(&settings.retry, Instant::now().into_std()),
            bulkhead: Bulkhead::new(settings.bulkhead),
            metrics: metrics.detector(&settings.name),
            latency: Mutex::new(Latency::new(LATENCY_WINDOW, Instant::now().into_std())),
            probed: AtomicBool::new(false),
            longest: AtomicUsize::new(0),
            instance: next_instance(),
            origin,
            stop,
            name: DetectorName::of(&settings.name.as_str().into()),
            meaning: meaning(&settings),
            settings,
        }
    }

    /// Updates the gauge of its limit.
    pub fn show_limit(&self) {
        let limits = self.replicas.iter().map(|replica| replica.gate.limit());
        self.metrics.limit.set(limits.map(i64::from).sum::<i64>());
    }

    /// Its name as text, for labels and logs.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Records a successful first attempt that ended now.
    pub fn took(&self, duration: Duration, now: Instant) {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        latency.record(now.into_std(), duration);
    }

    /// Records that it answered content of this size.
    pub fn managed(&self, content_bytes: usize) {
        // A read first, since new maxima are rare.
        if content_bytes > self.longest.load(Ordering::Relaxed) {
            self.longest.fetch_max(content_bytes, Ordering::Relaxed);
        }
    }

    /// Whether content of this size is much longer than any that it has answered: then a time-out says little
    /// about it. Never true for one that has never answered.
    pub fn is_unusual(&self, content_bytes: usize) -> bool {
        let longest = self.longest.load(Ordering::Relaxed);
        longest > 0 && content_bytes > longest.saturating_mul(2).max(USUAL_BYTES)
    }

    /// A recent latency quantile of successful first attempts.
    pub fn usual_time(&self, share: f64) -> Option<Duration> {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        latency.quantile(Instant::now().into_std(), share, 1)
    }

    /// The delay before a hedge; `None` means never.
    pub fn hedge_delay(&self) -> Option<Duration> {
        if !self.settings.hedge.enabled {
            return None;
        }
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        self.settings
            .hedge
            .delay(&mut latency, Instant::now().into_std())
    }

    /// Whether health checks leave any of its endpoints in rotation. Before the first check they are in
    /// rotation.
    pub fn is_in_rotation(&self) -> bool {
        self.replicas.iter().any(Replica::is_in_rotation)
    }

    /// Whether a health check has succeeded.
    pub fn is_known_healthy(&self) -> bool {
        self.probed.load(Ordering::Relaxed) && self.is_in_rotation()
    }

    pub(crate) fn seen(&self, well: bool) {
        self.probed.fetch_or(well, Ordering::Relaxed);
    }
}

/// Every setting is either included or listed here as one that does not change answers.
fn meaning(settings: &DetectorSettings) -> [u8; 32] {
    let DetectorSettings {
        name,
        endpoint,
        replicas,
        capabilities,
        content_types,
        dialect,
        weight,
        on_failure,
        required,
        shadow_of,
        // An alias is resolved before any lookup.
        aliases: _,
        // The frequency and time limits of calls.
        timeout: _,
        max_retries: _,
        health_check_path: _,
        bulkhead: _,
        retry: _,
        breaker: _,
        hedge: _,
        limit: _,
        outlier: _,
    } = settings;
    let whole = format!(
        "{:?}",
        (
            (name, endpoint, replicas, capabilities, content_types),
            (dialect, weight, on_failure, required, shadow_of),
        )
    );
    Sha256::digest(whole).into()
}

fn next_instance() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// All detectors, by name and alias, in the order of their configuration. Immutable: a change
/// makes a new one.
#[derive(Default)]
pub struct Registry {
    detectors: IndexMap<Arc<str>, Arc<Detector>, RandomState>,
    /// The detector of each alias.
    aliases: HashMap<String, Arc<str>, RandomState>,
    shadows: bool,
}

impl Registry {
    /// The first of two detectors with the same alias has it.
    pub fn new(detectors: impl IntoIterator<Item = Arc<Detector>>) -> Self {
        let mut registry = Self::default();
        for detector in detectors {
            registry.shadows |= detector.settings.shadow_of.is_some();
            let name = detector.name.text().clone();
            for alias in &detector.settings.aliases {
                let owner = registry.aliases.entry(alias.clone());
                owner.or_insert_with(|| name.clone());
            }
            registry.detectors.insert(name, detector);
        }
        registry
    }

    /// The detector with this name or alias; names take precedence over aliases.
    pub fn find(&self, spelled: &str) -> Option<&Arc<Detector>> {
        let own = self.detectors.get(spelled);
        own.or_else(|| self.detectors.get(self.aliases.get(spelled)?))
    }

    /// Resolves a name.
    pub fn resolve(&self, spelled: &SpelledName) -> DetectorName {
        self.find(spelled.text())
            .map_or_else(|| DetectorName::of(spelled.text()), |it| it.name.clone())
    }

    /// The detector with this name, if it is registered.
    pub fn get(&self, name: &DetectorName) -> Option<&Arc<Detector>> {
        self.detectors.get(name.as_str())
    }

    /// Whether a detector has exactly this name.
    pub fn has(&self, name: &str) -> bool {
        self.detectors.contains_key(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Detector>> {
        self.detectors.values()
    }

    /// Whether there is any shadow.
    pub fn has_shadows(&self) -> bool {
        self.shadows
    }

    /// The shadows of this detector.
    pub fn shadows_of<'a>(
        &'a self,
        live: &'a DetectorName,
    ) -> impl Iterator<Item = &'a Arc<Detector>> {
        let meant = |it: &Detector| {
            let spelled = it.settings.shadow_of.as_deref()?;
            Some(self.find(spelled)?.name == *live)
        };
        self.iter()
            .filter(move |it| it.name != *live && meant(it) == Some(true))
    }

    /// This registry with one added, or replaced in its place.
    pub fn with(&self, detector: Arc<Detector>) -> Self {
        let mut all = self.detectors.clone();
        all.insert(detector.name.text().clone(), detector);
        Self::new(all.into_values())
    }

    /// This registry without one.
    pub fn without(&self, name: &DetectorName) -> Self {
        Self::new(self.iter().filter(|it| it.name != *name).cloned())
    }

    pub fn count(&self) -> usize {
        self.detectors.len()
    }
}
