//! `--report-only`: the newest result of a suite again, from its record alone.

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use report::RunRecord;
use report::export::Artefact;
use suite::request::Resolved;

use crate::commands::CommandResult;
use crate::run_folder::baseline_in;
use crate::stdout;
use crate::terminal::{self, complain, say};

/// Prints the newest run of the suite in `results` that has all of the tests: in the form of the suite's document, where it
/// has one, byte by byte as the run has written it, with the verdict on standard error; else the verdict.
pub fn show(results: &Path, resolved: &Resolved) -> CommandResult {
    let (suite, tests) = (&resolved.file.suite, &resolved.selection.tests);
    let (path, record) = newest(results, suite, tests)?;
    let verdict = suite::run::verdict_text(&record);
    let document = resolved.file.views.iter().find(|view| view.is_document());
    match document {
        Some(view) => {
            let baseline = path.parent().and_then(baseline_in);
            let artefacts = view.format().artefacts_beside(&record, baseline.as_ref());
            document_of(artefacts).for_each(|text| stdout::print(&text));
            complain!("{}", verdict.trim_end());
            complain!("report: {}", path.display());
        }
        None => {
            stdout::print(&verdict);
            say!("report: {}", path.display());
        }
    }
    Ok(ExitCode::from(record.outcome.exit_code()))
}

/// The texts of a document's view, one for each test where it has several; its tables and pages are files of the run.
fn document_of(artefacts: Vec<Artefact>) -> impl Iterator<Item = String> {
    let ends = |artefact: &Artefact, end: &str| artefact.name.ends_with(end);
    let is_text = move |artefact: &Artefact| ends(artefact, ".txt") || ends(artefact, ".md");
    let has_text = artefacts.iter().any(is_text);
    artefacts
        .into_iter()
        .filter(move |artefact| {
            if has_text {
                is_text(artefact)
            } else {
                ends(artefact, ".json")
            }
        })
        .map(|artefact| String::from_utf8_lossy(&artefact.bytes).into_owned())
}

/// Folders are named by time: the last name is the newest run.
fn newest(
    results: &Path,
    suite: &str,
    tests: &[String],
) -> Result<(PathBuf, RunRecord), Box<dyn Error + Send + Sync>> {
    let entries = std::fs::read_dir(results).map_err(|error| {
        let name = results.display();
        match error.kind() {
            ErrorKind::NotFound => format!(
                "no results: the folder {name} does not exist; run a test first, or name another one with --results"
            ),
            _ => format!("{name} cannot be read: {}", terminal::plain(&error)),
        }
    })?;
    let mut reports: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path().join("report.json"))
        .filter(|path| path.is_file())
        .collect();
    reports.sort();
    // `all` and `all-tests` stand for several tests, which may have changed since.
    let named = tests
        .iter()
        .filter(|name| !matches!(name.as_str(), "all" | "all-tests"));
    for path in reports.into_iter().rev() {
        let text = live_config::read::file(&path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
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
