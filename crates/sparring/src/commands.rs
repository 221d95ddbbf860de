//! One file per command. Each has `Arguments`, what clap reads, and `execute`.

use std::error::Error;
use std::process::ExitCode;

pub mod check;
pub mod drill;
pub mod fault;
pub mod health;
pub mod mock;
pub mod orchestrator;
pub mod plan;
pub mod record;
pub mod run;
pub mod test;
pub mod up;

/// How a command ends: with the process' exit code, or with what stopped it.
pub type CommandResult = Result<ExitCode, Box<dyn Error + Send + Sync>>;
