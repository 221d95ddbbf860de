//! `--report-only`: the newest result of a suite again.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use report::RunRecord;

use crate::commands::CommandResult;
use crate::stdout;
use crate::terminal::say;

/// Prints the verdict of the newest run of `suite` in `results` that has all of the tests.
pub fn show(results: &Path, suite: &str, tests: &[String]) -> CommandResult {
    let (path, record) = newest(results, suite, tests)?;
    stdout::print(&suite::run::verdict_text(&record));
    say!("report: {}", path.display());
    Ok(ExitCode::from(record.outcome.exit_code()))
}

/// Folders are named by time: the last name is the newest run.
fn newest(
    results: &Path,
    suite: &str,
    tests: &[String],
) -> Result<(PathBuf, RunRecord), Box<dyn Error + Send + Sync>> {
    let entries = std::fs::read_dir(results)
        .map_err(|error| format!("{} cannot be read: {error}", results.display()))?;
    let mut reports: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path().join("report.json"))
        .filter(|path| path.is_file())
        .collect();
    reports.sort();
    // These words stand for several tests, which may have changed since.
    let named = tests
        .iter()
        .filter(|name| !matches!(name.as_str(), "all" | "all-tests"));
    for path in reports.into_iter().rev() {
        let text = std::fs::read_to_string(&path)?;
        let record: RunRecord = serde_json::from_str(&text)
            .map_err(|error| format!("{} is not the record of a run: {error}", path.display()))?;
        let has = |name: &String| record.tests.iter().any(|test| test.name == *name);
        // A run without a finished test is not a result.
        let is_result = record.suite == suite && !record.tests.is_empty();
        if is_result && named.clone().all(has) {
            return Ok((path, record));
        }
    }
    let of: Vec<&str> = named.map(String::as_str).collect();
    let with = match of.as_slice() {
        [] => String::new(),
        of => format!(" with {}", of.join(", ")),
    };
    Err(format!(
        "no result of the suite {suite}{with} in {}",
        results.display()
    )
    .into())
}
