//! `sparring run`: a k6 script, unmodified.

mod agents;

use std::process::ExitCode;

use clap::Args;

use super::CommandResult;
use crate::process::surroundings;

/// A script, and the machines on which it is run.
#[derive(Debug, Clone, Default, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub run: load_driver::Args,
    #[command(flatten)]
    agents: agents::Agents,
}

/// Runs the script, here or on agents.
pub fn execute(arguments: &Arguments) -> CommandResult {
    if arguments.agents.agents.is_empty() {
        Ok(drive(&arguments.run))
    } else {
        agents::execute(&arguments.run, &arguments.agents)
    }
}

/// Runs the script here; the exit code is k6's.
pub fn drive(arguments: &load_driver::Args) -> ExitCode {
    ExitCode::from(load_driver::drive(arguments, &surroundings()).exit.code())
}
