//! Following a fleet file while detectors run.

use std::path::{Path, PathBuf};

use fault_profile::Model;
use live_config::Invalid;
use service_runtime::Shutdown;

use crate::fleet::Fleet;
use crate::server::Bound;
use crate::start_error::StartError;

/// The changes of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reloaded {
    /// Detectors with another profile than before.
    pub changed: Vec<String>,
    /// Changes that need a restart: detectors that were added, removed, or listen differently.
    pub need_restart: Vec<String>,
}

impl Fleet {
    /// Applies the profiles of a fleet file: all of them, or none.
    ///
    /// # Errors
    /// The first invalid profile; nothing has changed then.
    pub fn reload(&self, file: &fleet::Fleet) -> Result<Reloaded, Invalid> {
        let mut reloaded = Reloaded::default();
        for (name, detector) in &file.detectors {
            Model::new(&detector.mock, name)?;
            if self.detector(name).is_none() {
                reloaded.need_restart.push(name.clone());
            }
        }
        for name in self.names() {
            let Some((running, new)) = self.detector(name).zip(file.detectors.get(name)) else {
                reloaded.need_restart.push(name.to_owned());
                continue;
            };
            if running.dialect != new.dialect || running.listener != new.listener {
                reloaded.need_restart.push(name.to_owned());
            }
            if running
                .control
                .reload(new.mock.clone())
                .is_ok_and(|changed| changed)
            {
                reloaded.changed.push(name.to_owned());
            }
        }
        Ok(reloaded)
    }

    /// Reloads the file whenever it changes, until `shutdown`; it may have changed since it was read for the
    /// start. A file with errors is refused as a whole and reported; the previous profiles stay in force.
    pub async fn follow(&self, path: &Path, shutdown: Shutdown) {
        let mut first = true;
        let reload = || {
            match fleet::load_again(path, &[]) {
                Ok(file) => match self.reload(&file) {
                    // The file was read again after the start and has not changed.
                    Ok(reloaded) if first && reloaded == Reloaded::default() => {}
                    result => self.report(result),
                },
                Err(error) => {
                    tracing::error!(%error, "the changed fleet file is not valid; the previous one stays in force");
                }
            }
            first = false;
        };
        simulated_server::follow(path, &shutdown, reload).await;
    }

    fn report(&self, result: Result<Reloaded, Invalid>) {
        match result {
            Ok(reloaded) => {
                tracing::info!(changed = ?reloaded.changed, "the fleet file was reloaded");
                if !reloaded.need_restart.is_empty() {
                    let names = &reloaded.need_restart;
                    tracing::warn!(?names, "these detectors need a restart to apply the file");
                }
            }
            Err(error) => {
                tracing::error!(%error, "the changed fleet file is not valid; the previous one stays in force");
            }
        }
    }
}

/// Serves several detectors until `shutdown`, following their fleet file.
///
/// # Errors
/// A profile is invalid, or the system has no thread; nothing is served then.
pub async fn run_following(
    detectors: Vec<Bound>,
    path: Option<PathBuf>,
    shutdown: Shutdown,
) -> Result<(), StartError> {
    let fleet = Fleet::start_on(detectors)?;
    match path {
        Some(path) => fleet.follow(&path, shutdown).await,
        None => shutdown.cancelled().await,
    }
    fleet.stop().await;
    Ok(())
}
