//! `sparring check`: all faults of a fleet file at once.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::CommandResult;

/// Reads a fleet file with its overrides from SPARRING_… variables and reports every fault with
/// its path and a hint. Exit code 0: the fleet is sound; 1: it is not.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The fleet file [default: detectors.yaml when it exists, else the built-in fleet]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    let fleet = fleet::load(arguments.file.as_deref(), &[])?;
    // What only the orchestrator can judge: policies and dialects.
    orchestrator::Config::try_from(&fleet)?;
    println!("{} detectors, no faults", fleet.detectors.len());
    for (name, detector) in &fleet.detectors {
        println!("  {name}  {}", detector.endpoint);
    }
    Ok(ExitCode::SUCCESS)
}
