//! `sparring verify`: recomputes the numbers of a report.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use report::verify::verify;
use serde_json::json;

use super::CommandResult;
use crate::run_folder;
use crate::terminal::say;

/// Recompute the numbers of a run's report
///
/// Totals are compared with phases, seconds, endpoints and samples, percentiles with the histogram logs,
/// standings with bounds, outcomes with judgements, and the exported files with the record. Every number that
/// does not match is named.
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
    let verified = verify(&run.record, &|name| run.file(name));
    if arguments.json {
        let faults: Vec<_> = verified
            .faults
            .iter()
            .map(|fault| json!({ "path": fault.path, "text": fault.text }))
            .collect();
        let found =
            json!({ "checked": verified.checked, "faults": faults, "remarks": verified.remarks });
        say!("{found:#}");
    } else {
        for fault in &verified.faults {
            say!("{}: {}", fault.path, fault.text);
        }
        for remark in &verified.remarks {
            say!("note: {remark}");
        }
        let faults = match verified.faults.len() {
            0 => "all fit".to_owned(),
            n => format!("{n} do not fit"),
        };
        say!(
            "{}: {} numbers checked, {faults}",
            run.record.run,
            verified.checked
        );
    }
    Ok(if verified.is_sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(UNTRUSTED)
    })
}
