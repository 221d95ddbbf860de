//! The `sparring` binary: parse, match, run, exit code.

#![expect(clippy::print_stdout, reason = "the binary is what talks to people")]

mod admin_target;
mod cli;
mod client;
mod commands;
mod data_dir;
mod driver;
mod fault_text;
mod fleet_names;
mod metrics_text;
mod signals;
mod stack;
mod status;
mod terminal;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use service_runtime::allocator::BySize;

#[global_allocator]
static ALLOCATOR: BySize = BySize;

fn main() -> ExitCode {
    // `source <(COMPLETE=bash sparring)` completes commands, flags and detectors' names.
    clap_complete::CompleteEnv::with_factory(cli::Cli::command).complete();
    let result = if is_called_k6() {
        match cli::K6::read() {
            Ok(command) => command.execute(),
            Err(code) => return code,
        }
    } else {
        cli::Cli::parse().command.execute()
    };
    result.unwrap_or_else(|failure| terminal::report(failure.as_ref()))
}

fn is_called_k6() -> bool {
    let name = std::env::args_os().next().unwrap_or_default();
    Path::new(&name)
        .file_stem()
        .is_some_and(|stem| stem == "k6")
}
