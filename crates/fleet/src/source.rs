//! The text of a fleet, and its source. A pipe can be read only once, so that the kind of the file is detected
//! and the fleet is loaded from the same text.

use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::load::{BUILT_IN, LoadError};

/// The fleet file that is used by default if it exists.
const DEFAULT: &str = "detectors.yaml";

/// The text of a fleet.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name in errors.
    pub origin: String,
    pub text: String,
    /// The file; `None` for the built-in fleet.
    pub path: Option<PathBuf>,
}

impl Source {
    /// Reads `path`, or `detectors.yaml` in the working folder, or the built-in fleet. It may wait for the writer of a
    /// pipe.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: Option<&Path>) -> Result<Self, LoadError> {
        let Some(path) = path.or_else(|| Some(Path::new(DEFAULT)).filter(|path| path.exists()))
        else {
            return Ok(Self {
                origin: "the built-in fleet".to_owned(),
                text: BUILT_IN.to_owned(),
                path: None,
            });
        };
        Self::of(path, std::fs::read_to_string(path))
    }

    /// Reads a file again, without waiting.
    ///
    /// # Errors
    /// The file cannot be read, or is no longer a regular file.
    pub fn read_again(path: &Path) -> Result<Self, LoadError> {
        Self::of(path, read_regular(path))
    }

    fn of(path: &Path, text: io::Result<String>) -> Result<Self, LoadError> {
        let text = text.map_err(|source| LoadError::Unreadable {
            path: path.to_owned(),
            source: live_config::read::explained(source),
        })?;
        Ok(Self {
            origin: path.display().to_string(),
            text,
            path: Some(path.to_owned()),
        })
    }
}

/// A pipe without a writer is opened, recognised, and not read.
fn read_regular(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no longer a regular file"));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_is_read_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("fleet.yaml");
        std::fs::write(&path, "text").expect("writable");
        let read = Source::read_again(&path).expect("a regular file");
        assert_eq!(
            (read.text.as_str(), read.path),
            ("text", Some(path.clone()))
        );
        std::fs::remove_file(&path).expect("its own file");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo runs").success());
        // Without a writer, a plain read would wait for ever.
        assert!(Source::read_again(&path).is_err());
        assert!(Source::read_again(folder.path()).is_err());
        assert!(Source::read_again(Path::new("/dev/zero")).is_err());
    }
}
