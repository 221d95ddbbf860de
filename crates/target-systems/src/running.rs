//! The parts of a running system that cannot change: the only place that decides what may change at run
//! time.
//!
//! Changes of the document, of limits and of toggles are checked here before they take effect, and planned
//! changes when their file is read.

use live_config::{ConfigError, join};

use crate::document::Document;
use crate::network::differences;
use crate::plan::Plan;

/// A document and its compiled plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compiled<'a> {
    pub document: &'a Document,
    pub plan: &'a Plan,
}

/// The changes from `running` to `next` that a running system does not allow.
pub(crate) fn kept(running: Compiled<'_>, next: Compiled<'_>) -> Vec<ConfigError> {
    let mut found: Vec<ConfigError> =
        differences(running.plan, running.plan.components.len(), next.plan)
            .into_iter()
            .map(|(path, message)| ConfigError::new(path, message))
            .collect();
    for (name, store) in &running.document.stores {
        let next = next.document.stores.get(name);
        if next.is_some_and(|next| next.populate != store.populate) {
            let path = join(&join("stores", name), "populate");
            let message = "is read only at the start; POST /__admin/populate adds rows";
            found.push(ConfigError::new(path, message));
        }
    }
    if running.document.metrics != next.document.metrics {
        found.push(ConfigError::new("metrics", "is read only at the start"));
    }
    found
}
