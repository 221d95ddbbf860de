//! The environment of the process: the only file that reads variables, apart from clap, which reads those of
//! flags, and `fleet`, which reads those that override the fleet file.

mod service_links;
pub mod unknown;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// All variables.
pub fn all() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

/// All variables whose name and value are Unicode.
pub fn texts() -> impl Iterator<Item = (String, String)> {
    all().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The value of a variable, unless it is unset or not Unicode.
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The value of a variable, unless it is unset or empty.
pub fn nonempty_text(name: &str) -> Option<String> {
    text(name).filter(|value| !value.is_empty())
}

/// The value of a variable that is a path.
pub fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// Whether a variable is set and not empty.
pub fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Whether a variable is set and empty.
pub fn is_empty(name: &OsStr) -> bool {
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

/// The levels of log lines: `LOG_LEVEL`, otherwise `RUST_LOG`.
pub fn log_level() -> Option<String> {
    text("LOG_LEVEL").or_else(|| text("RUST_LOG"))
}
