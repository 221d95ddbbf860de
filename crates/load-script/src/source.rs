//! Names of modules and where their text comes from.

use std::path::{Component, Path, PathBuf};

/// Why a module cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// A name that is neither a path nor a URL nor one of k6's own modules.
    #[error(
        "The moduleSpecifier \"{0}\" couldn't be recognised as something k6 supports. Write a relative path as \"./{0}\"; \
         packages have to be bundled into the script."
    )]
    Unknown(String),
    /// A file that is not there.
    #[error(
        "The moduleSpecifier \"{0}\" couldn't be found on local disk. Make sure that you've specified the right path to the file."
    )]
    Missing(String),
    /// A file that cannot be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// Its path.
        path: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// A protocol that is not supported.
    #[error("only file modules can be imported, not \"{0}\"")]
    Scheme(String),
}

/// The full name of a file.
pub(crate) fn url_of(path: &Path) -> String {
    format!("file://{}", normalize(path).display())
}

/// The full name of what the module `base` imports as `name`.
pub(crate) fn resolve(base: &str, name: &str) -> Result<String, SourceError> {
    if name == "k6" || name.starts_with("k6/") || name.contains("://") {
        return Ok(name.to_owned());
    }
    if name.starts_with('/') {
        return Ok(url_of(Path::new(name)));
    }
    if !name.starts_with("./") && !name.starts_with("../") {
        return Err(SourceError::Unknown(name.to_owned()));
    }
    let base = base.strip_prefix("file://").unwrap_or(base);
    let directory = Path::new(base).parent().unwrap_or_else(|| Path::new("/"));
    Ok(url_of(&directory.join(name)))
}

/// The text of a module.
pub(crate) fn read(name: &str) -> Result<String, SourceError> {
    let Some(path) = name.strip_prefix("file://") else {
        return Err(SourceError::Scheme(name.to_owned()));
    };
    std::fs::read_to_string(path).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => SourceError::Missing(name.to_owned()),
        _ => SourceError::Read {
            path: path.to_owned(),
            cause,
        },
    })
}

/// The path without `.` and `..`, without asking the file system.
fn normalize(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}
