//! One mock detector: everything that its connections and its admin API share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use detector_api::dialect::Dialect;
use fault_profile::{Behaviour, Listener};

use crate::config::Config;
use crate::control::{Control, Live};
use crate::fleet::StartError;
use crate::gate::Gate;
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::tally::Tally;
use crate::timer::Timer;

/// Answers that are kept for being given again.
const HISTORY: usize = 256;

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
    pub(crate) journal: Journal,
    pub(crate) metrics: Metrics,
    pub(crate) timer: Timer,
    /// Bodies of the last answers, the newest at the back.
    history: Mutex<VecDeque<Bytes>>,
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

    /// The profile in force, and what it says for connections at present.
    pub(crate) fn connection_behaviour<T>(&self, read: impl FnOnce(&Live, &Behaviour) -> T) -> T {
        let live = self.control.live();
        let at = live.at(Instant::now());
        read(&live, live.model.common_behaviour(at))
    }

    pub(crate) fn remember(&self, body: &Bytes) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        if history.len() >= HISTORY {
            history.pop_front();
        }
        history.push_back(body.clone());
    }

    /// The answer given `age` answers ago, or the oldest that is known.
    pub(crate) fn remembered(&self, age: u32) -> Option<Bytes> {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let place = history.len().saturating_sub(age as usize);
        history.get(place).cloned()
    }

    /// The registry's gauges, brought up to date.
    pub(crate) fn refresh_metrics(&self) {
        self.metrics.revision.set(self.control.revision() as i64);
        self.metrics.evicted.set(self.journal.evicted() as i64);
        self.metrics.queue_depth.set(self.gate.depth() as i64);
        self.metrics
            .degraded
            .set(i64::from(self.metrics.is_degraded()));
    }
}
