//! The view of a run for other threads, and the changes that they can make.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use load_engine::health::Health;
use load_engine::{Exchanges, RunState, ScenarioStatus};

/// A run as seen from outside; clones refer to the same run.
#[derive(Debug, Clone, Default)]
pub struct RunHandle {
    view: Arc<OnceLock<View>>,
    exchanges: Option<Arc<Exchanges>>,
}

#[derive(Debug)]
struct View {
    state: Arc<RunState>,
    scenario_statuses: Vec<Arc<ScenarioStatus>>,
}

impl RunHandle {
    /// A run that records the outcome of each of its requests in this log.
    pub fn telling(exchanges: Option<Arc<Exchanges>>) -> Self {
        Self {
            exchanges,
            ..Self::default()
        }
    }

    pub(crate) fn exchanges(&self) -> Option<Arc<Exchanges>> {
        self.exchanges.clone()
    }

    pub(crate) fn show(&self, state: &Arc<RunState>, scenario_statuses: &[Arc<ScenarioStatus>]) {
        // One handle belongs to one run; a second run is not visible through it.
        drop(self.view.set(View {
            state: Arc::clone(state),
            scenario_statuses: scenario_statuses.to_vec(),
        }));
    }

    /// The health of the driver itself; `None` until the run is prepared.
    pub fn health(&self) -> Option<&Health> {
        self.view.get().map(|view| &view.state.health)
    }

    /// The time at which the first scenario began, after `setup`, in milliseconds since 1970; `None` before.
    pub fn began_unix_ms(&self) -> Option<i64> {
        let scenario_statuses = self.view.get()?.scenario_statuses.iter();
        scenario_statuses
            .filter_map(|status| Some(status.state.get()?.started_unix_ms))
            .min()
    }

    /// The time at which the run was told to end before its plan, in milliseconds since 1970: no load is planned from
    /// then on, although requests in flight and `teardown` may take longer. `None` if it was not.
    pub fn stopped_unix_ms(&self) -> Option<i64> {
        self.view.get()?.state.stopped_unix_ms()
    }

    /// Whether all scenarios have ended; `teardown` may still run.
    pub fn has_ended(&self) -> bool {
        let view = self.view.get();
        view.is_some_and(|view| {
            let mut all = view.scenario_statuses.iter();
            all.all(|status| status.has_ended())
        })
    }

    /// Sets the numbers of users of these scenarios, which from now on replace their ramps. Only
    /// `ramping-vus` scenarios follow; before the run the call has no effect.
    pub fn set_users(&self, by_scenario: BTreeMap<String, u64>) {
        if let Some(view) = self.view.get() {
            view.state.set_users(by_scenario);
        }
    }
}
