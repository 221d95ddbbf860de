//! `sparring target print`: files to start from.

use std::process::ExitCode;

use clap::Args;

use super::super::CommandResult;
use super::text;
use crate::terminal::say;

/// Prints the file of a system unchanged, comments included, as a start for a system of your own.
#[derive(Debug, Args)]
pub struct Arguments {
    /// acso, aiaas, acis, agent360, lab, or a file
    #[arg(value_name = "SYSTEM", required_unless_present = "schema")]
    system: Option<String>,
    /// The JSON schema of such files, for editors
    #[arg(long, conflicts_with = "system")]
    schema: bool,
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    match &arguments.system {
        Some(system) => say!("{}", text(system)?.trim_end()),
        None => say!(
            "{}",
            serde_json::to_string_pretty(&target_systems::schema())?
        ),
    }
    Ok(ExitCode::SUCCESS)
}
