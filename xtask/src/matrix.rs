//! The fault matrix of the orchestrator, as a table.

use std::path::Path;
use std::process::Command;

/// Runs the test that makes the table, with its output; whether nothing passed in silence.
pub(crate) fn run(root: &Path) -> bool {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let test = [
        "test",
        "--quiet",
        "--package",
        "orchestrator",
        "--test",
        "it",
        "matrix",
    ];
    let status = Command::new(cargo)
        .args(test)
        .args(["--", "--nocapture"])
        .current_dir(root)
        .status();
    matches!(status, Ok(status) if status.success())
}
