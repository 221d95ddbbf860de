//! The command line: what can be asked for, as clap reads it.

use clap::{Parser, Subcommand};

use crate::commands::{self, CommandResult};

/// A bench for services that fan out to flaky dependencies.
///
/// Mock detectors that misbehave exactly as told, an orchestrator as the system under test, a
/// load driver for unmodified k6 scripts, and suites that turn a run into a verdict.
#[derive(Debug, Parser)]
#[command(name = "sparring", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  sparring test smoke                    start everything, run the smoke suite, give a verdict
  sparring up                            run the whole stack until Ctrl-C
  sparring fault mock-detector-failing --failure-rate 0.9
                                         make a running mock detector fail nine times in ten
  sparring run script.js --vus 50 --duration 30s
                                         run a k6 script
  sparring check detectors.yaml          all faults of a fleet file at once

Called by the name `k6`, the binary is the k6 command line.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read a fleet file and report all its faults, each with its path and a hint
    Check(commands::check::Arguments),
}

impl Command {
    pub fn execute(self) -> CommandResult {
        match self {
            Self::Check(arguments) => commands::check::execute(&arguments),
        }
    }
}
