//! The text of a fleet, and where it stands. A pipe gives it once only: it is read once, and told
//! apart and loaded from what was read.

use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::load::{BUILT_IN, LoadError};

/// The fleet file that is used when none is named and it exists.
const DEFAULT: &str = "detectors.yaml";

/// A fleet's text.
#[derive(Debug, Clone)]
pub struct Source {
    /// What errors call it.
    pub origin: String,
    pub text: String,
    /// The file; `None` for the built-in fleet.
    pub path: Option<PathBuf>,
}

impl Source {
    /// Reads `path`, or `detectors.yaml` in the working folder, or the built-in fleet. May wait: for
    /// whoever writes into a pipe.
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

    /// Reads a file again that was read before, without ever waiting.
    ///
    /// # Errors
    /// It cannot be read, or it is not a regular file any more.
    pub fn read_again(path: &Path) -> Result<Self, LoadError> {
        Self::of(path, read_regular(path))
    }

    fn of(path: &Path, text: io::Result<String>) -> Result<Self, LoadError> {
        let text = text.map_err(|source| LoadError::Unreadable {
            path: path.to_owned(),
            source: match source.kind() {
                io::ErrorKind::InvalidData => io::Error::other("it is not text in UTF-8"),
                io::ErrorKind::IsADirectory => io::Error::other("it is a directory; name a file"),
                _ => source,
            },
        })?;
        Ok(Self {
            origin: path.display().to_string(),
            text,
            path: Some(path.to_owned()),
        })
    }
}

/// A pipe that nobody writes into is opened, seen for what it is, and left alone.
fn read_regular(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file any more"));
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
        // Without a writer a plain read would wait for ever.
        assert!(Source::read_again(&path).is_err());
        assert!(Source::read_again(folder.path()).is_err());
        assert!(Source::read_again(Path::new("/dev/zero")).is_err());
    }
}
