//! What people see: errors with their causes, colours only where they help.

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

/// Prints `failure` and its causes to stderr. The exit code is 1.
pub fn report(failure: &(dyn Error + 'static)) -> ExitCode {
    eprintln!("error: {failure}");
    let mut cause = failure.source();
    while let Some(error) = cause {
        eprintln!("  caused by: {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}

/// Whether stderr takes colours: it is a terminal, and nobody said `NO_COLOR`.
pub fn stderr_takes_colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}
