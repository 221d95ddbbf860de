//! Updates of detectors and policies from the fleet file.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Catalog, Change, dependents};
use crate::ask::registry::{Detector, DetectorName, Registry};
use crate::ask::trust::RegistrationSource;
use crate::config::{Config, DetectorSettings, FilePolicies};

impl Catalog {
    /// The policies that changed in the file since it was last read. Only these overrule changes over the API.
    pub async fn follow_policies(
        &self,
        before: &FilePolicies,
        after: &FilePolicies,
    ) -> Vec<String> {
        let mut changed = Vec::new();
        let removed = before.keys().filter(|key| !after.contains_key(*key));
        for (tenant, bundle) in removed {
            self.policies.delete(tenant, bundle);
            changed.push((tenant.clone(), bundle.clone()));
        }
        for (key, policy) in after {
            if before.get(key) == Some(policy) {
                continue;
            }
            let (tenant, bundle) = key;
            match self.policies.put(tenant, bundle, policy.clone()) {
                Ok(_) => changed.push(key.clone()),
                Err(error) => {
                    tracing::error!(tenant, bundle, %error, "a policy was not applied");
                }
            }
        }
        for (tenant, bundle) in &changed {
            self.answers.forget_policy(tenant, bundle).await;
        }
        changed
            .into_iter()
            .map(|(tenant, bundle)| format!("{tenant}/{bundle}"))
            .collect()
    }

    /// Warns about a policy in force, or a shadow, that has lost a detector since `before`. The operator's file
    /// applies nevertheless: neither prevents its removal.
    pub fn warn_of_losses(&self, before: &Registry) {
        let now = self.registry.load();
        if let Some((shadow, live)) = dependents::orphan(before, &now) {
            tracing::warn!(
                shadow,
                detector = live,
                "a shadow lost its live detector, which the changed file removes"
            );
        }
        let lost = dependents::first(&self.policies, before, &now);
        if let Some(lost) = lost {
            tracing::warn!(
                tenant = lost.tenant,
                policy = lost.bundle,
                detector = %lost.detector.text(),
                "a policy names a detector that the changed file removes or makes a shadow"
            );
        }
    }

    /// Updates the registry from the file in one step: requests see the old or the new one. A detector that did
    /// not change keeps its state, and so does one that was registered over the API.
    pub async fn follow_detectors(&self, before: &Config, after: &Config) -> Vec<String> {
        let _change = self.change.lock().await;
        let registry = self.registry.load_full();
        let old: HashMap<&str, _> = by_name(before);
        let new: HashMap<&str, _> = by_name(after);
        let same = |name: &str| old.get(name) == new.get(name);
        let mut changed: Vec<DetectorName> = Vec::new();
        let mut kept: Vec<Arc<Detector>> = Vec::new();
        for settings in &after.detectors {
            match registry.iter().find(|it| it.name() == settings.name) {
                Some(running) if same(&settings.name) => kept.push(running.clone()),
                // Unchanged in the file, but removed over the API.
                None if same(&settings.name) => {}
                _ => {
                    let detector = self.detector(settings.clone(), RegistrationSource::File);
                    self.watch(detector.clone());
                    changed.push(detector.name.clone());
                    kept.push(detector);
                }
            }
        }
        let is_ours =
            |it: &Detector| it.origin == RegistrationSource::File || new.contains_key(it.name());
        kept.extend(registry.iter().filter(|it| !is_ours(it)).cloned());
        let gone = |it: &&Arc<Detector>| {
            it.origin == RegistrationSource::File && !new.contains_key(it.name())
        };
        let removed: Vec<DetectorName> = registry
            .iter()
            .filter(gone)
            .map(|it| it.name.clone())
            .collect();
        self.registry.store(Arc::new(Registry::new(kept)));
        for name in &changed {
            let old = registry.get(name);
            self.changed(name, old, Change::put(old)).await;
        }
        for name in removed {
            let old = registry.get(&name);
            self.forget_gone();
            self.changed(&name, old, Change::Removed).await;
            changed.push(name);
        }
        changed.iter().map(ToString::to_string).collect()
    }
}

fn by_name(config: &Config) -> HashMap<&str, &DetectorSettings> {
    let named = config.detectors.iter();
    named.map(|it| (it.name.as_str(), it)).collect()
}
