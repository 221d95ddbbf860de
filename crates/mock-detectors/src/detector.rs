//! One mock detector: everything that its connections and its admin API share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use detector_api::dialect::Dialect;
use fault_profile::{Behaviour, Listener, Profile};
use serde_json::{Value, json};
use simulated_server::{Gate, Journal, Simulated, Tally, Timer};

use crate::config::Config;
use crate::course::{ActiveProfile, Control, Live};
use crate::history::History;
use crate::journal::Entry;
use crate::metrics::Metrics;
use crate::start_error::StartError;

/// The state of one detector.
#[derive(Debug)]
pub(crate) struct Detector {
    pub(crate) name: String,
    pub(crate) dialect: Dialect,
    pub(crate) listener: Listener,
    pub(crate) control: Control,
    pub(crate) gate: Arc<Gate>,
    pub(crate) tally: Tally,
    /// Counts connections, for their latency.
    pub(crate) connections: Tally,
    pub(crate) journal: Journal<Entry>,
    pub(crate) metrics: Metrics,
    pub(crate) timer: Timer,
    history: Mutex<History>,
}

impl Detector {
    pub(crate) fn new(config: Config, timer: Timer) -> Result<Self, StartError> {
        let control =
            Control::new(&config.name, config.profile).map_err(|source| StartError::Profile {
                detector: config.name.clone(),
                source,
            })?;
        Ok(Self {
            metrics: Metrics::new(&config.name)?,
            journal: Journal::new(config.listener.journal_entries),
            name: config.name,
            dialect: config.dialect,
            listener: config.listener,
            control,
            gate: Arc::new(Gate::new()),
            tally: Tally::default(),
            connections: Tally::default(),
            timer,
            history: Mutex::default(),
        })
    }

    /// The profile in force, and its current settings for connections.
    pub(crate) fn connection_behaviour<T>(&self, read: impl FnOnce(&Live, &Behaviour) -> T) -> T {
        let live = self.control.live();
        let at = live.at(Instant::now());
        read(&live, live.model.common_behaviour(at))
    }

    pub(crate) fn remember(&self, body: &Bytes) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.remember(body.clone());
    }

    /// The answer given `age` answers ago, or the oldest stored one.
    pub(crate) fn remembered(&self, age: u32) -> Option<Bytes> {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.remembered(age)
    }

    /// The registry with updated gauges.
    pub(crate) fn refresh_metrics(&self) {
        self.metrics.revision.set(self.control.revision() as i64);
        self.metrics.evicted.set(self.journal.evicted() as i64);
        self.metrics.queue_depth.set(self.gate.depth() as i64);
        self.metrics
            .degraded
            .set(i64::from(self.metrics.is_degraded()));
    }
}

impl Simulated for Detector {
    type Compiled = ActiveProfile;
    type Entry = Entry;

    fn control(&self) -> &Control {
        &self.control
    }

    fn journal(&self) -> &Journal<Entry> {
        &self.journal
    }

    fn state(&self) -> Value {
        let live = self.control.live();
        let now = Instant::now();
        let expires_in = live.expires.map(|at| at.saturating_duration_since(now));
        json!({
            "detector": self.name,
            "dialect": self.dialect,
            "revision": live.revision,
            "plan_hash": live.model.timeline().hash(),
            "active_stages": live.model.timeline().segment_at(live.at(now)).stages,
            "expires_in_ms": expires_in.map(|time| time.as_millis() as u64),
            "success_rate": live.config.success_rate,
            "latency": live.config.latency,
            "recorded": self.journal.recorded(),
            "evicted": self.journal.evicted(),
            "degraded": self.metrics.is_degraded(),
            "lateness": self.metrics.lateness(),
        })
    }

    fn schema(&self) -> Value {
        schemars::schema_for!(Profile).into()
    }

    fn begin_anew(&self) {
        self.tally.reset();
    }
}
