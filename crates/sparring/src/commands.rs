//! One file per command. Each has `Arguments`, which clap reads, and `execute`.

use std::error::Error;
use std::process::ExitCode;

pub mod agent;
pub mod analyze;
pub mod baseline;
pub mod changepoints;
pub mod check;
pub mod collect;
pub mod compare;
pub mod completions;
pub mod config;
pub mod doctor;
pub mod drill;
pub mod explain;
pub mod fault;
pub mod health;
pub mod init;
pub mod manual;
pub mod merge;
pub mod mock;
pub mod orchestrator;
pub mod plan;
pub mod record;
pub mod report;
pub mod run;
pub mod target;
pub mod test;
pub mod up;
pub mod verify;

/// The end of a command: the exit code of the process, or the error that stopped it.
pub type CommandResult = Result<ExitCode, Box<dyn Error + Send + Sync>>;

/// `1 test`, `2 tests`, `2 classes`.
pub fn counted(count: usize, noun: &str) -> String {
    let ending = match count {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{count} {noun}{ending}")
}
