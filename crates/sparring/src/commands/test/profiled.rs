//! `--profile FILE`: a run with a profile.

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::profile::Profile;
use crate::terminal::say;

type Failure = Box<dyn Error + Send + Sync>;

/// A profile with its file.
pub struct Profiled {
    path: PathBuf,
    profile: Profile,
}

/// Starts a profile if one is requested.
///
/// # Errors
/// The file cannot be made, or the system refuses the timer.
pub fn start(path: Option<&Path>) -> Result<Option<Profiled>, Failure> {
    let Some(path) = path else {
        return Ok(None);
    };
    let profile = Profile::start(path).map_err(|error| told(path, &error))?;
    let path = path.to_owned();
    Ok(Some(Profiled { path, profile }))
}

impl Profiled {
    /// Writes the profile and, unless quiet, prints its path.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end(self, quiet: bool) -> Result<(), Failure> {
        let path = &self.path;
        let written = self.profile.finish().map_err(|error| told(path, &error))?;
        if !quiet {
            let lost = match written.lost {
                0 => String::new(),
                lost => format!(", {lost} lost"),
            };
            let (path, samples) = (path.display(), written.samples);
            say!("profile: {path} ({samples} samples{lost})");
        }
        Ok(())
    }
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("--profile {}: {error}", path.display())
}
