//! New settings while requests run: detectors and policies follow the fleet file. A file with
//! faults is refused as a whole, and what was in force stays.

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::app::App;
use crate::config::{Config, FilePolicies};
use crate::registry::{Detector, Origin, Registry};

/// How often the file is looked at. Notification by the system would be faster and does not reach
/// into containers and network mounts.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Where new settings come from.
pub struct Reload {
    /// Reads them; called when there is reason to.
    pub read: Box<dyn Fn() -> Result<Config, Box<dyn Error + Send + Sync>> + Send + Sync>,
    /// The file that they are in: a change of it is such a reason.
    pub file: Option<PathBuf>,
    /// Another one, for SIGHUP.
    pub asked: Arc<Notify>,
}

/// What a reload has done, by name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reloaded {
    detectors: Vec<String>,
    policies: Vec<String>,
}

/// Follows until shutdown. `now` is what the service was started with.
pub async fn follow(app: Arc<App>, reload: Reload, mut now: Config) {
    let mut known = stamp(reload.file.as_deref());
    loop {
        let asked = tokio::select! {
            () = app.shutdown.cancelled() => return,
            () = reload.asked.notified() => true,
            () = sleep(LOOK_EVERY) => false,
        };
        let found = stamp(reload.file.as_deref());
        if !asked && (found.is_none() || found == known) {
            continue;
        }
        known = found;
        match (reload.read)() {
            Ok(next) => {
                let reloaded = take_over(&app, &now, &next).await;
                let Reloaded {
                    detectors,
                    policies,
                } = &reloaded;
                tracing::info!(?detectors, ?policies, "the settings were reloaded");
                if rest(&now) != rest(&next) {
                    tracing::warn!(
                        "some settings need a restart: only detectors and policies are followed"
                    );
                }
                app.metrics.reloaded("applied");
                now = next;
            }
            Err(error) => {
                tracing::error!(%error, "the changed settings are refused; the old ones stay");
                app.metrics.reloaded("refused");
            }
        }
    }
}

async fn take_over(app: &Arc<App>, before: &Config, after: &Config) -> Reloaded {
    Reloaded {
        detectors: app.follow_detectors(before, after).await,
        policies: follow_policies(app, &before.policies, &after.policies).await,
    }
}

/// Policies that the file changed since it was last read. What was changed over the API meanwhile
/// is overruled only then.
async fn follow_policies(app: &App, before: &FilePolicies, after: &FilePolicies) -> Vec<String> {
    let mut changed = Vec::new();
    let removed = before.keys().filter(|key| !after.contains_key(*key));
    for (tenant, bundle) in removed {
        app.policies.delete(tenant, bundle);
        changed.push((tenant.clone(), bundle.clone()));
    }
    for (key, policy) in after {
        if before.get(key) == Some(policy) {
            continue;
        }
        let (tenant, bundle) = key;
        match app.policies.put(tenant, bundle, policy.clone()) {
            Ok(_) => changed.push(key.clone()),
            Err(error) => tracing::error!(tenant, bundle, %error, "a policy was not taken over"),
        }
    }
    for (tenant, bundle) in &changed {
        app.forget_policy(tenant, bundle).await;
    }
    changed
        .into_iter()
        .map(|(tenant, bundle)| format!("{tenant}/{bundle}"))
        .collect()
}

impl App {
    /// Makes the registry follow the file in one step: requests see the old or the new one. A
    /// detector that did not change keeps its state, as does one that the API registered.
    async fn follow_detectors(self: &Arc<Self>, before: &Config, after: &Config) -> Vec<String> {
        let _change = self.registry_change.lock().await;
        let registry = self.registry.load_full();
        let old: HashMap<&str, _> = by_name(before);
        let new: HashMap<&str, _> = by_name(after);
        let same = |name: &str| old.get(name) == new.get(name);
        let mut changed: Vec<String> = Vec::new();
        let mut kept: Vec<Arc<Detector>> = Vec::new();
        for settings in &after.detectors {
            match registry.iter().find(|it| it.name() == settings.name) {
                Some(running) if same(&settings.name) => kept.push(running.clone()),
                // Unchanged in the file, and removed over the API since.
                None if same(&settings.name) => {}
                _ => {
                    let detector = self.detector(settings.clone(), Origin::File);
                    self.watch(detector.clone());
                    kept.push(detector);
                    changed.push(settings.name.clone());
                }
            }
        }
        let is_ours = |it: &Detector| it.origin == Origin::File || new.contains_key(it.name());
        kept.extend(registry.iter().filter(|it| !is_ours(it)).cloned());
        let gone = |it: &&Arc<Detector>| it.origin == Origin::File && !new.contains_key(it.name());
        let removed: Vec<String> = registry
            .iter()
            .filter(gone)
            .map(|it| it.name().to_owned())
            .collect();
        self.registry.store(Arc::new(Registry::new(kept)));
        for name in &changed {
            let old = registry.iter().find(|it| it.name() == name);
            let how = if old.is_some() { "replaced" } else { "added" };
            self.changed(name, old.map(AsRef::as_ref), how).await;
        }
        for name in removed {
            let old = registry.iter().find(|it| it.name() == name);
            self.metrics.forget(&self.registry.load());
            self.changed(&name, old.map(AsRef::as_ref), "removed").await;
            changed.push(name);
        }
        changed
    }
}

fn by_name(config: &Config) -> HashMap<&str, &crate::config::DetectorSettings> {
    let named = config.detectors.iter();
    named.map(|it| (it.name.as_str(), it)).collect()
}

/// All settings that are not followed.
fn rest(config: &Config) -> String {
    let rest = Config {
        detectors: Vec::new(),
        policies: FilePolicies::new(),
        ..config.clone()
    };
    format!("{rest:?}")
}

/// Changes whenever the file does.
fn stamp(file: Option<&Path>) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file?).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
