//! The `sparring` binary: parse, match, run, exit code.

mod cli;
mod commands;
mod terminal;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let name = std::env::args_os().next().unwrap_or_default();
    let result = match Path::new(&name).file_stem() {
        Some(stem) if stem == "k6" => commands::run::main_as_k6(std::env::args_os()),
        _ => cli::Cli::parse().command.execute(),
    };
    result.unwrap_or_else(|failure| terminal::report(failure.as_ref()))
}
