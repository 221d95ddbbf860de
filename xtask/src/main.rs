//! The project's own chores. `cargo xtask validate` is the one check.

#![expect(clippy::print_stdout, reason = "a command line that talks to people")]

mod bench;
mod dashboards;
mod dist;
mod matrix;
mod reference;
mod seeds;
mod tidy;
mod validate;
mod workflows;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's own chores")]
enum Task {
    /// fmt, tidy, clippy, tests, docs, licences, and every script and config parsed
    Validate(validate::Arguments),
    /// Crate directions, file sizes, names: what the compiler does not check
    Tidy,
    /// Every way a detector can fail against what its failure means: nothing passes in silence
    Matrix,
    /// Dashboards and rules: form, and with `--prometheus` data behind every query
    Dashboards(dashboards::Arguments),
    /// The reference pages in docs/ (API, CLI, CONFIGURATION, METRICS, K6-COMPATIBILITY) and the schema of suite files from the code
    Reference(reference::Arguments),
    /// Release files: an archive with completions and man pages, an SBOM, checksums
    Dist(dist::Arguments),
    /// The requirements by id, each with the test or place that holds it
    Seeds,
    /// Measure against peers in the same run
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let root = root();
    let sound = match Task::parse() {
        Task::Validate(arguments) => validate::run(&root, &arguments),
        Task::Tidy => tidy::run(&root),
        Task::Matrix => matrix::run(&root),
        Task::Dashboards(arguments) => dashboards::run(&root, &arguments),
        Task::Reference(arguments) => reference::run(&root, &arguments),
        Task::Dist(arguments) => dist::run(&root, &arguments),
        Task::Seeds => seeds::run(&root),
        Task::Bench(bench) => bench::run(&bench),
    };
    ExitCode::from(u8::from(!sound))
}

/// The workspace's folder.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
