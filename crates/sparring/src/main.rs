//! The `sparring` binary: parse, match, run, exit code.

#![deny(
    clippy::print_stderr,
    reason = "it panics when the reader has left; see `terminal`"
)]

mod admin_target;
mod baselines;
mod cli;
mod client;
mod columns;
mod commands;
mod data_dir;
mod environment;
mod exchanged;
mod fault_text;
mod fleet_names;
mod k6_words;
mod process;
mod profile;
mod reach;
mod run_folder;
mod signals;
mod stack;
mod stdout;
mod table;
mod terminal;

use std::process::ExitCode;

use clap::CommandFactory;
use service_runtime::allocator::BySize;

#[global_allocator]
static ALLOCATOR: BySize = BySize;

fn main() -> ExitCode {
    // `sparring completions bash` prints the script that asks for candidates here.
    clap_complete::CompleteEnv::with_factory(cli::Cli::command).complete();
    service_runtime::limits::raise_descriptors();
    service_runtime::limits::survive_full_files();
    let (result, is_long_running) = if cli::is_called_k6() {
        match cli::K6::read() {
            Ok(k6) => (k6.command.execute(), k6.command.is_long_running()),
            Err(code) => return code,
        }
    } else {
        match cli::Cli::read() {
            Ok(cli) => (cli.command.execute(), cli.command.is_long_running()),
            Err(said) => return terminal::usage(&said),
        }
    };
    match result {
        // These commands have done their work, whether or not their output was read.
        Ok(code) if is_long_running => code,
        Ok(code) => terminal::printed(code),
        Err(failure) => terminal::report(failure.as_ref()),
    }
}
