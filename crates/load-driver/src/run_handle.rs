//! What other threads see of a run, and what they may change of it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use load_engine::health::Health;
use load_engine::{Exchanges, RunState, ScenarioStatus};

/// A run as it is seen from outside; clones see the same run.
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
    /// A run that tells there what becomes of each of its requests.
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
        // One value belongs to one run; of a second one nothing is seen.
        drop(self.view.set(View {
            state: Arc::clone(state),
            scenario_statuses: scenario_statuses.to_vec(),
        }));
    }

    /// How the driver itself fares; `None` until the run is prepared.
    pub fn health(&self) -> Option<&Health> {
        self.view.get().map(|view| &view.state.health)
    }

    /// When the first scenario began, in milliseconds since 1970: `setup` is over by then. `None` before.
    pub fn began_unix_ms(&self) -> Option<i64> {
        let scenario_statuses = self.view.get()?.scenario_statuses.iter();
        scenario_statuses
            .filter_map(|status| Some(status.state.get()?.started_unix_ms))
            .min()
    }

    /// Whether all scenarios have ended; `teardown` may still run.
    pub fn has_ended(&self) -> bool {
        let view = self.view.get();
        view.is_some_and(|view| {
            let mut all = view.scenario_statuses.iter();
            all.all(|status| status.has_ended())
        })
    }

    /// From now on these scenarios have so many users, whatever their ramps say. Only `ramping-vus` follows;
    /// before the run there is nothing to change.
    pub fn set_users(&self, by_scenario: BTreeMap<String, u64>) {
        if let Some(view) = self.view.get() {
            view.state.set_users(by_scenario);
        }
    }
}
