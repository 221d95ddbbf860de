//! The `sparring` binary: parse, match, run, exit code.

#![expect(clippy::print_stdout, reason = "the binary is what talks to people")]

mod cli;
mod client;
mod commands;
mod driver;
mod fleet_names;
mod metrics_text;
mod signals;
mod stack;
mod status;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let result = cli::Cli::parse().command.execute();
    result.unwrap_or_else(|failure| terminal::report(failure.as_ref()))
}
