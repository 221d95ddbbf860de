//! `--config`: a suite file or a fleet file.

use std::error::Error;
use std::path::{Path, PathBuf};

use fleet::Fleet;

use crate::cli;
use crate::terminal::Usage;

/// The file of `--config`.
#[derive(Debug)]
pub enum Config {
    None,
    Fleet(PathBuf),
    Suite(PathBuf),
}

impl Config {
    /// A file with `tests` is a suite; every other is a fleet file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: Option<&Path>) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let Some(path) = path else {
            return Ok(Self::None);
        };
        let text = live_config::read::file(path)
            .map_err(|error| Usage(format!("cannot read {}: {error}", path.display())))?;
        Ok(match suite::builtin::is_suite(&text) {
            true => Self::Suite(path.to_owned()),
            false => Self::Fleet(path.to_owned()),
        })
    }

    pub fn suite(&self) -> Option<&Path> {
        match self {
            Self::Suite(path) => Some(path),
            _ => None,
        }
    }

    /// The fleet of the file, or the default one.
    ///
    /// # Errors
    /// The file has errors.
    pub fn fleet(&self) -> Result<Fleet, fleet::LoadError> {
        match self {
            Self::Fleet(path) => cli::load_fleet(Some(path), &[]),
            _ => cli::load_fleet(None, &[]),
        }
    }
}
