//! The command line: what can be asked for, as clap reads it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use fleet::{Fleet, LoadError};
use load_engine::Exit;
use service_runtime::logging;
use tokio::runtime::Runtime;

use crate::commands::{self, CommandResult};
use crate::driver;
use crate::terminal;

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
    /// Run a suite and give a verdict
    Test(commands::test::Arguments),
    /// Run the whole stack, orchestrator and mock detectors, until Ctrl-C
    Up(commands::up::Arguments),
    /// Serve mock detectors alone
    Mock(commands::mock::Arguments),
    /// Serve the orchestrator alone
    Orchestrator(commands::orchestrator::Arguments),
    /// Change how a running mock detector behaves
    Fault(commands::fault::Arguments),
    /// Print what the mock detectors will do, before they do it
    Plan(commands::plan::Arguments),
    /// Print a profile that shows what a running mock detector has shown
    Record(commands::record::Arguments),
    /// Break detectors of a running stack on purpose and judge how it takes that
    Drill(commands::drill::Arguments),
    /// Ask a service how it is, as a container's health check
    Health(commands::health::Arguments),
    /// Read a fleet file and report all its faults, each with its path and a hint
    Check(commands::check::Arguments),
    /// Run a k6 script
    Run(Box<commands::run::Arguments>),
}

impl Command {
    pub fn execute(self) -> CommandResult {
        match self {
            Self::Test(arguments) => commands::test::execute(&arguments),
            Self::Up(arguments) => commands::up::execute(arguments),
            Self::Mock(arguments) => commands::mock::execute(&arguments),
            Self::Orchestrator(arguments) => commands::orchestrator::execute(&arguments),
            Self::Fault(arguments) => commands::fault::execute(&arguments),
            Self::Plan(arguments) => commands::plan::execute(&arguments),
            Self::Record(arguments) => commands::record::execute(&arguments),
            Self::Drill(arguments) => commands::drill::execute(&arguments),
            Self::Health(arguments) => commands::health::execute(&arguments),
            Self::Check(arguments) => commands::check::execute(&arguments),
            Self::Run(arguments) => commands::run::execute(&arguments),
        }
    }
}

/// The k6 command line, for the binary called by that name.
#[derive(Debug, Parser)]
#[command(name = "k6", version = K6_VERSION, about, arg_required_else_help = true)]
pub struct K6 {
    #[command(subcommand)]
    command: K6Command,
}

/// What people who look at the version are told: whose surface this is.
const K6_VERSION: &str = concat!("v2.2.0 (sparring ", env!("CARGO_PKG_VERSION"), ")");

#[derive(Debug, Subcommand)]
enum K6Command {
    /// Run a script
    Run(Box<commands::run::Arguments>),
    /// Write an archive of a script, all that it reads, and its options
    Archive(Box<driver::ArchiveArgs>),
    /// Print the options of a script as JSON
    Inspect(Box<driver::InspectArgs>),
    /// Write a script to begin with
    New(Box<driver::NewArgs>),
    #[command(flatten)]
    Remote(driver::Remote),
    /// Show the version
    Version {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

impl K6 {
    pub fn execute(self) -> CommandResult {
        let exit = match self.command {
            K6Command::Run(arguments) => return commands::run::execute(&arguments),
            K6Command::Archive(arguments) => driver::archive(&arguments),
            K6Command::Inspect(arguments) => driver::inspect(&arguments),
            K6Command::New(arguments) => driver::new_script(&arguments),
            K6Command::Remote(remote) => remote.execute(),
            K6Command::Version { json } => {
                print_version(json);
                Exit::Success
            }
        };
        Ok(ExitCode::from(exit.code()))
    }

    /// Reads the process' arguments; as in k6 a wrong one is exit code 255.
    pub fn read() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            if std::env::args_os().len() < 2 {
                // Nothing was asked for: that is a question for help.
                print!("{error}");
                return ExitCode::SUCCESS;
            }
            drop(error.print());
            if error.use_stderr() {
                ExitCode::from(u8::MAX)
            } else {
                ExitCode::SUCCESS
            }
        })
    }
}

fn print_version(as_json: bool) {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    if as_json {
        let version = serde_json::json!({
            "commit": concat!("sparring/", env!("CARGO_PKG_VERSION")),
            "go_arch": if arch == "x86_64" { "amd64" } else { arch },
            "go_os": os,
            "go_version": "none",
            "version": format!("v{}", driver::K6_VERSION),
        });
        println!("{version}");
    } else {
        println!("k6 {K6_VERSION}");
    }
}

/// Where the fleet is described; shared by all commands that need it.
#[derive(Debug, Clone, Args)]
pub struct FleetArguments {
    /// The fleet file [default: detectors.yaml when it exists, else the built-in fleet]
    #[arg(long, short = 'c', value_name = "FILE", env = "SPARRING_CONFIG")]
    config: Option<PathBuf>,
    /// More log lines: -v for info, -vv for debug; LOG_LEVEL does the same
    #[arg(long, short = 'v', action = clap::ArgAction::Count)]
    verbose: u8,
    /// Log lines as JSON
    #[arg(long)]
    log_json: bool,
}

impl FleetArguments {
    /// The fleet with its overrides.
    pub fn load(&self) -> Result<Fleet, LoadError> {
        self.load_with(&[])
    }

    /// The fleet with the environment's overrides and these.
    pub fn load_with(&self, overrides: &[(String, serde_json::Value)]) -> Result<Fleet, LoadError> {
        fleet::load(self.config.as_deref(), overrides)
    }

    /// Logs to stderr, at `level` unless more was asked for.
    pub fn init_logging(&self, level: &str) {
        let level = match self.verbose {
            0 => level,
            1 => "info",
            _ => "debug",
        };
        let format = if self.log_json {
            logging::Format::Json
        } else {
            logging::Format::Text
        };
        logging::init(format, level, terminal::stderr_takes_colour());
    }

    /// A runtime with as many threads as the fleet's service wants.
    pub fn runtime(&self, fleet: &Fleet) -> std::io::Result<Runtime> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if fleet.service.workers > 0 {
            builder.worker_threads(fleet.service.workers);
        }
        builder.enable_all().build()
    }
}
