//! `sparring explain`: the source of a statement in a report.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use report::explain::{explain, ids};
use serde_json::json;

use super::CommandResult;
use crate::run_folder;
use crate::stdout;
use crate::terminal::{complain, say};

/// Explain a judgement or a finding of a run: rule, inputs, window, computation, and what would
/// refute it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The run: a folder, a report.json, or a name in the folder for results
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The id in the report [default: list all ids]
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// The folder for results
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    results: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The exit code for an unknown id.
const USAGE: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  sparring explain 20260814T093000Z-acis                       all ids
  sparring explain 20260814T093000Z-acis outcome               why the run came to its outcome
  sparring explain 20260814T093000Z-acis load.threshold.p95_ms@steady
  sparring explain 20260814T093000Z-acis outcome --json";

pub fn execute(arguments: &Arguments) -> CommandResult {
    let run = run_folder::find(&arguments.run, &arguments.results)?.record;
    let Some(id) = &arguments.id else {
        if arguments.json {
            say!("{:#}", json!({ "run": run.run, "ids": ids(&run) }));
            return Ok(ExitCode::SUCCESS);
        }
        for id in ids(&run) {
            say!("{id}");
        }
        return Ok(ExitCode::SUCCESS);
    };
    match explain(&run, id) {
        Ok(found) if arguments.json => {
            say!("{}", serde_json::to_string_pretty(&found)?);
            Ok(ExitCode::SUCCESS)
        }
        Ok(found) => {
            stdout::print(&found.to_string());
            Ok(ExitCode::SUCCESS)
        }
        Err(unknown) => {
            complain!("error: {unknown}");
            Ok(ExitCode::from(USAGE))
        }
    }
}
