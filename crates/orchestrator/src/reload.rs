//! New settings while requests run: detectors and policies follow the fleet file. A file with errors is refused
//! as a whole, and the previous settings stay in force.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use service_runtime::FollowedFile;
use tokio::sync::Notify;

use crate::app::App;
use crate::catalog::Catalog;
use crate::config::{Config, FilePolicies};

/// The source of new settings.
pub struct Reload {
    /// Reads the settings; called on each trigger.
    pub read: Box<dyn Fn() -> Result<Config, Box<dyn Error + Send + Sync>> + Send + Sync>,
    /// The file of the settings: a change of it is a trigger.
    pub file: Option<PathBuf>,
    /// A further trigger, for SIGHUP.
    pub asked: Arc<Notify>,
}

/// The changes of a reload, by name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reloaded {
    detectors: Vec<String>,
    policies: Vec<String>,
}

/// Applies changes until shutdown. `now` are the settings at the start; the file may have changed since they
/// were read.
pub async fn follow(app: Arc<App>, reload: Reload, mut now: Config) {
    let mut file = reload.file.clone().map(FollowedFile::new);
    let mut first = true;
    loop {
        let asked = tokio::select! {
            () = app.shutdown.cancelled() => return,
            () = reload.asked.notified() => true,
            () = changed(&mut file) => false,
        };
        if let Some(file) = file.as_mut().filter(|_| asked) {
            file.was_read();
        }
        match (reload.read)() {
            // The file was read again after the start and has not changed.
            Ok(next) if first && !asked && next == now => {}
            Ok(next) => {
                let reloaded = take_over(&app.catalog, &now, &next).await;
                let Reloaded {
                    detectors,
                    policies,
                } = &reloaded;
                tracing::info!(?detectors, ?policies, "the settings were reloaded");
                if rest(&now) != rest(&next) {
                    tracing::warn!(
                        "some settings need a restart: only detectors and policies are reloaded"
                    );
                }
                app.metrics.reloaded(true);
                now = next;
            }
            Err(error) => {
                tracing::error!(%error, "the changed settings are not valid; the previous ones stay in force");
                app.metrics.reloaded(false);
            }
        }
        first = false;
    }
}

/// Waits for a change of the file; for ever without one.
async fn changed(file: &mut Option<FollowedFile>) {
    match file {
        Some(file) => file.changed().await,
        None => std::future::pending().await,
    }
}

async fn take_over(catalog: &Catalog, before: &Config, after: &Config) -> Reloaded {
    let registry = catalog.registry.load_full();
    let reloaded = Reloaded {
        detectors: catalog.follow_detectors(before, after).await,
        policies: catalog
            .follow_policies(&before.policies, &after.policies)
            .await,
    };
    catalog.warn_of_losses(&registry);
    reloaded
}

/// All settings that are not reloaded.
fn rest(config: &Config) -> Config {
    Config {
        detectors: Vec::new(),
        policies: FilePolicies::new(),
        ..config.clone()
    }
}
