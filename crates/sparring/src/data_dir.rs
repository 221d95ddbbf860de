//! The folder for the orchestrator's persistent state: jobs and idempotency keys.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use fleet::Fleet;
use serde_json::Value;
use tempfile::TempDir;

use crate::environment;

/// The place of persistent state; shared by all commands that run an orchestrator.
#[derive(Debug, Clone, Default, Args)]
pub struct StateArguments {
    /// Folder for jobs and idempotency keys; one process at a time may use it [default:
    /// `orchestration.job_store` of the fleet file, else a folder for this port under
    /// $XDG_STATE_HOME/sparring or ~/.local/state/sparring; with a free port a temporary one]
    #[arg(long, value_name = "DIR", env = "SPARRING_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Share cache, idempotency keys, rate limits and jobs with all replicas that use the same
    /// Redis. Other users can see flags: for a URL with a password use the variable
    /// `SPARRING_ORCHESTRATION__REDIS_URL`
    #[arg(long, value_name = "URL")]
    pub redis_url: Option<String>,
}

impl StateArguments {
    /// The changes of the flags to the fleet file.
    pub fn overrides(&self) -> Vec<(String, Value)> {
        let url = self.redis_url.clone();
        url.map(|url| ("orchestration.redis_url".to_owned(), url.into()))
            .into_iter()
            .collect()
    }
}

/// The folder for jobs cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the folder {} for jobs and idempotency keys cannot be created; choose another one with --data-dir", folder.display())]
pub struct DataDirError {
    folder: PathBuf,
    source: io::Error,
}

fn make(folder: &Path) -> Result<(), DataDirError> {
    std::fs::create_dir_all(folder).map_err(|source| DataDirError {
        folder: folder.to_owned(),
        source,
    })
}

/// Sets the job store of `fleet`: in `given`, or else at the file's setting, or else in a folder for `port`, which is
/// temporary for port 0 and removed with the returned value.
///
/// # Errors
/// The folder cannot be made although the user chose it. A default folder that cannot be made is not an error: a
/// warning says that there are no asynchronous jobs.
pub fn settle(
    fleet: &mut Fleet,
    given: Option<&Path>,
    port: u16,
) -> Result<Option<TempDir>, DataDirError> {
    let store = &mut fleet.orchestration.job_store;
    if let Some(folder) = given {
        make(folder)?;
        *store = Some(folder.join("jobs.redb"));
    } else if let Some(path) = store {
        if let Some(folder) = path.parent() {
            make(folder)?;
        }
    } else if port == 0 {
        let made = tempfile::Builder::new().prefix("sparring-").tempdir();
        let folder = made.map_err(|source| DataDirError {
            folder: std::env::temp_dir(),
            source,
        })?;
        *store = Some(folder.path().join("jobs.redb"));
        return Ok(Some(folder));
    } else {
        match usual(port) {
            Ok(folder) => *store = Some(folder.join("jobs.redb")),
            Err(error) => tracing::warn!(
                %error, "no folder for jobs; asynchronous requests are rejected; set one with --data-dir"
            ),
        }
    }
    Ok(None)
}

/// The folder of an orchestrator at this port, by the XDG base directories.
fn usual(port: u16) -> io::Result<PathBuf> {
    let absolute = |name| environment::path(name).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .ok_or_else(|| io::Error::other("neither XDG_STATE_HOME nor HOME is set"))?;
    let folder = state.join("sparring").join(format!("orchestrator-{port}"));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(fleet: &mut Fleet, given: Option<&Path>) -> (Option<TempDir>, PathBuf) {
        let temporary = settle(fleet, given, 0).expect("the folder is writable");
        let store = fleet.orchestration.job_store.clone();
        (temporary, store.expect("there is always one"))
    }

    #[test]
    fn a_folder_that_cannot_be_is_named_with_a_hint() {
        let mut fleet = fleet::load(None, &[]).expect("the built-in fleet is valid");
        let error = settle(&mut fleet, Some(Path::new("/dev/null")), 0).expect_err("a device");
        let text = error.to_string();
        assert!(
            text.contains("/dev/null") && text.contains("--data-dir"),
            "{text}"
        );
        fleet.orchestration.job_store = Some("/dev/null/jobs.redb".into());
        let error = settle(&mut fleet, None, 0)
            .expect_err("a device")
            .to_string();
        assert!(error.contains("/dev/null"), "{error}");
    }

    #[test]
    fn the_flag_wins_over_the_file_and_the_file_over_the_default() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut fleet = fleet::load(None, &[]).expect("the built-in fleet is valid");
        let (temporary, store) = settled(&mut fleet, None);
        let temporary = temporary.expect("port 0 has nothing to come back to");
        assert_eq!(store, temporary.path().join("jobs.redb"));

        let named = folder.path().join("deep/here.redb");
        fleet.orchestration.job_store = Some(named.clone());
        let (none, store) = settled(&mut fleet, None);
        assert!(none.is_none() && named.parent().is_some_and(Path::is_dir));
        assert_eq!(store, named);

        let given = folder.path().join("given");
        let (_, store) = settled(&mut fleet, Some(&given));
        assert_eq!(store, given.join("jobs.redb"));
    }
}
