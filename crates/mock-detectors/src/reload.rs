//! Following a fleet file while detectors run.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fault_profile::{Invalid, Model};
use service_runtime::Shutdown;

use tokio::net::TcpListener;

use crate::config::Config;
use crate::fleet::{Fleet, StartError};

/// How often the file is looked at. Notification by the system would be faster and does not reach
/// into containers and network mounts.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a reload has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reloaded {
    /// Detectors with another profile than before.
    pub changed: Vec<String>,
    /// Changes that need a restart: detectors that came, went, or listen otherwise.
    pub need_restart: Vec<String>,
}

impl Fleet {
    /// Takes over the profiles of a fleet file: all of them, or none.
    ///
    /// # Errors
    /// The first profile that is not valid; nothing has changed then.
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

    /// Reloads the file whenever it changes, until `shutdown`. A file with faults is refused as a
    /// whole and reported; what was in force stays.
    pub async fn follow(&self, path: &Path, shutdown: Shutdown) {
        let mut known = stamp(path);
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = shutdown.cancelled() => return,
            }
            let now = stamp(path);
            if now == known || now.is_none() {
                continue;
            }
            known = now;
            match fleet::load(Some(path), &[]) {
                Ok(file) => self.report(self.reload(&file)),
                Err(error) => tracing::error!(%error, "the changed fleet file is refused"),
            }
        }
    }

    fn report(&self, result: Result<Reloaded, Invalid>) {
        match result {
            Ok(reloaded) => {
                tracing::info!(changed = ?reloaded.changed, "the fleet file was reloaded");
                if !reloaded.need_restart.is_empty() {
                    let names = &reloaded.need_restart;
                    tracing::warn!(?names, "these detectors need a restart to follow the file");
                }
            }
            Err(error) => tracing::error!(%error, "the changed fleet file is refused"),
        }
    }
}

/// Changes whenever the file does.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Serves several detectors until `shutdown`, following the fleet file that they came from.
///
/// # Errors
/// As [`crate::run_all`]; nothing is served then.
pub async fn run_following(
    detectors: Vec<(Config, TcpListener)>,
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
