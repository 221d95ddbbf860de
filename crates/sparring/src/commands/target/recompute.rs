//! `sparring target recompute`: recomputes a served run from its log.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use target_systems::serve::log::{Recorded, recompute};

use crate::commands::CommandResult;
use crate::terminal::say;

/// Runs a served system again from its log of inputs and compares the end of every request.
///
/// The log is the answer of `GET /__admin/log`. Exit code 0: all ends are equal, to the nanosecond;
/// 1: some differ, or the log is incomplete. Log and recomputation have to come from the same build.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The log, such as the output of `curl -s localhost:8000/__admin/log`
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The maximum number of differences that are printed in full.
const TOLD: usize = 10;

pub fn execute(arguments: &Arguments) -> CommandResult {
    let path = arguments.log.display();
    let text = std::fs::read_to_string(&arguments.log)
        .map_err(|error| format!("{path} cannot be read: {error}"))?;
    let log: Recorded =
        serde_json::from_str(&text).map_err(|error| format!("{path} is not a log: {error}"))?;
    let (inputs, ends) = (log.inputs.len(), log.ends.len());
    let differences = recompute(log)?;
    if arguments.json {
        let report = serde_json::json!({
            "inputs": inputs, "ends": ends, "differences": differences,
        });
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        say!(
            "{inputs} inputs, {ends} ends, {} differences",
            differences.len()
        );
        for difference in differences.iter().take(TOLD) {
            say!(
                "  recorded {:?}\n  now      {:?}",
                difference.recorded,
                difference.recomputed
            );
        }
    }
    Ok(if differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
