//! `sparring run`: a k6 script, unmodified.

use std::process::ExitCode;

use super::CommandResult;
use crate::process::surroundings;

pub use load_driver::Args as Arguments;

/// Runs the script; the exit code is k6's.
pub fn execute(arguments: &Arguments) -> CommandResult {
    Ok(ExitCode::from(
        load_driver::drive(arguments, &surroundings()).exit.code(),
    ))
}
