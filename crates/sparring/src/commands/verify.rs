//! `sparring verify`: recomputes the numbers of a report.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use report::verify::{Mismatch, Verified, compare, verify};
use serde_json::json;

use super::CommandResult;
use crate::run_folder::{self, RunFolder};
use crate::terminal::say;

/// Recompute the numbers of a run's report
///
/// The run is judged again from its evidence, the files in its folder `evidence`, by the same code, and the whole
/// report.json is compared with the result. What the run has observed and nothing can compute again, such as samples of
/// resources, events and k6's own summary, is compared with what the evidence has of it. The sums of the
/// evidence are in report.json, histogram logs and samples.csv are compared with the figures, and the exported files
/// with the record. Every number that does not match is named.
///
/// Exit codes: 0 everything matches, 5 something does not, 1 the run cannot be read.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The run: a folder, a report.json, or a name in the folder for results
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The folder for results
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    results: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The exit code for a report that cannot be trusted.
const UNTRUSTED: u8 = 5;

const EXAMPLES: &str = "\
Examples:
  sparring verify results/20260814T093000Z-acis
  sparring verify 20260814T093000Z-acis --json";

pub fn execute(arguments: &Arguments) -> CommandResult {
    let run = run_folder::find(&arguments.run, &arguments.results)?;
    let mut verified = judged_again(&run);
    verified.add(verify(&run.record, &|name| run.file(name)));
    if arguments.json {
        let errors: Vec<_> = verified
            .errors
            .iter()
            .map(|error| json!({ "path": error.path, "text": error.text }))
            .collect();
        let found = json!({
            "checked": verified.checked,
            "computed": verified.computed,
            "observed": verified.observed,
            "errors": errors,
            "remarks": verified.remarks,
        });
        say!("{found:#}");
    } else {
        for error in &verified.errors {
            say!("{}: {}", error.path, error.text);
        }
        for remark in &verified.remarks {
            say!("note: {remark}");
        }
        let errors = match verified.errors.len() {
            0 => "all fit".to_owned(),
            1 => "1 does not match".to_owned(),
            n => format!("{n} do not match"),
        };
        say!(
            "{}: {} numbers recomputed, {} compared with the evidence, {} comparisons in all, {errors}",
            run.record.run,
            verified.computed,
            verified.observed,
            verified.checked
        );
    }
    Ok(if verified.is_sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(UNTRUSTED)
    })
}

/// Compares the whole report with the one computed from the run's evidence.
fn judged_again(run: &RunFolder) -> Verified {
    let mut verified = Verified::default();
    let mut fail = |path: &str, text: String| {
        let path = path.to_owned();
        verified.errors.push(Mismatch { path, text });
    };
    let again = match suite::run::again(&|name| run.file(name)) {
        Ok(Some(again)) => again,
        Ok(None) => {
            let why = "The run has no evidence: its numbers are checked within the record and against the files \
                       beside it only.";
            verified.remarks.push(why.to_owned());
            return verified;
        }
        Err(error) => {
            fail("evidence", error.to_string());
            return verified;
        }
    };
    let version = env!("CARGO_PKG_VERSION");
    if again.generator.version != version {
        let theirs = &again.generator.version;
        verified.remarks.push(format!(
            "The run was judged by version {theirs} and is verified by {version}; rules may have changed."
        ));
    }
    // Both have been serialized once, so that equal numbers agree to the last digit.
    let again = report::record::write(&again);
    let recorded = std::fs::read(&run.path).unwrap_or_default();
    match (
        serde_json::from_slice(&recorded),
        serde_json::from_str(&again),
    ) {
        (Ok(recorded), Ok(again)) => compare(&recorded, &again, &mut verified),
        (Err(error), _) | (_, Err(error)) => fail("report.json", error.to_string()),
    }
    verified
}
