//! What a running system keeps: the one judgement of what may change while it runs.
//!
//! Changes of the document, of limits and of toggles are judged here before they take effect, and
//! planned changes when their file is read.

use live_config::{ConfigError, join};

use crate::document::Document;
use crate::network::differences;
use crate::plan::Plan;

/// What `next` would change that a system which runs with `running` keeps.
pub(crate) fn kept(running: (&Document, &Plan), next: (&Document, &Plan)) -> Vec<ConfigError> {
    let mut found: Vec<ConfigError> = differences(running.1, running.1.components.len(), next.1)
        .into_iter()
        .map(|(path, message)| ConfigError::new(path, message))
        .collect();
    for (name, store) in &running.0.stores {
        let next = next.0.stores.get(name);
        if next.is_some_and(|next| next.populate != store.populate) {
            let path = join(&join("stores", name), "populate");
            let message = "rows are there from the start; POST /__admin/populate adds more";
            found.push(ConfigError::new(path, message));
        }
    }
    if running.0.metrics != next.0.metrics {
        found.push(ConfigError::new("metrics", "are declared at the start"));
    }
    found
}
