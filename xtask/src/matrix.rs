//! The fault matrix of the orchestrator, as a table.

use std::path::Path;
use std::process::{Command, Stdio};

/// The last line of the test; without it the table is missing.
const SUMMARY: &str = " cases, 0 silent passes";

/// Runs the test that makes the table, and prints it. Returns whether nothing passed silently.
pub(crate) fn run(root: &Path) -> bool {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut test = Command::new(cargo);
    test.args([
        "test",
        "--quiet",
        "--package",
        "orchestrator",
        "--test",
        "it",
    ])
    .args(["--", "--exact", "matrix::no_fault_passes_silently"])
    .arg("--nocapture")
    .stderr(Stdio::inherit())
    .current_dir(root);
    let Ok(output) = test.output() else {
        println!("matrix: cargo cannot be run");
        return false;
    };
    let table = String::from_utf8_lossy(&output.stdout);
    print!("{table}");
    output.status.success() && is_whole(&table)
}

/// Whether the table is complete. If the test was renamed, cargo runs no test and succeeds.
fn is_whole(table: &str) -> bool {
    let whole = table.lines().any(|line| line.ends_with(SUMMARY));
    if !whole {
        println!("matrix: the test printed no complete table");
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_not_there_or_has_a_silent_pass_is_no_success() {
        assert!(is_whole("a table\n\n84 cases, 0 silent passes\n.\n"));
        assert!(!is_whole("running 0 tests\n"));
        assert!(!is_whole("a table\n\n84 cases, 10 silent passes\n"));
    }
}
