//! The command line: what can be asked for, as clap reads it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

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
    /// Run a suite and give a verdict: exit 0 when the thresholds hold, 99 when one is crossed
    Test(commands::test::Arguments),
    /// Run the whole stack (orchestrator and mock detectors) until Ctrl-C
    Up(commands::up::Arguments),
    /// Read a fleet file and report all its faults, each with its path and a hint
    Check(commands::check::Arguments),
}

impl Command {
    pub fn execute(self) -> CommandResult {
        match self {
            Self::Test(arguments) => commands::test::execute(arguments),
            Self::Up(arguments) => commands::up::execute(arguments),
            Self::Check(arguments) => commands::check::execute(arguments),
        }
    }
}

/// Where the fleet is described; shared by all commands that need it.
#[derive(Debug, Clone, Args)]
pub struct FleetArguments {
    /// The fleet file [default: detectors.yaml when it exists, else the built-in fleet]
    #[arg(long, short = 'c', value_name = "FILE", env = "SPARRING_CONFIG")]
    pub config: Option<PathBuf>,
    /// More log lines: -v for info, -vv for debug
    #[arg(long, short = 'v', action = clap::ArgAction::Count)]
    pub verbose: u8,
}
