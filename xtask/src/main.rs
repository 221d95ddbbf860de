//! The tasks of the project. `cargo xtask validate` is the complete check.

#![expect(clippy::print_stdout, reason = "a command line that talks to people")]

mod bench;
mod book;
mod dashboards;
mod dist;
mod links;
mod matrix;
mod reference;
mod seeds;
mod task;
mod tidy;
mod validate;
mod workflows;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let sound = task::Task::parse().run(&root());
    ExitCode::from(u8::from(!sound))
}

/// The folder of the workspace.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
