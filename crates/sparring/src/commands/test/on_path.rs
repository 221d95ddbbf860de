//! Finds programs by name.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::environment;

/// The first executable file with this name in the folders of `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let folders = environment::path("PATH")?;
    let is_program = |path: &PathBuf| {
        let about = std::fs::metadata(path);
        about.is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(is_program)
}
