//! The tasks.

use std::path::Path;

use clap::Parser;

use crate::{bench, book, dashboards, dist, matrix, reference, seeds, tidy, validate};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's own chores")]
pub enum Task {
    /// fmt, tidy, clippy, tests, docs, licences, and every script and config parsed
    Validate(validate::Arguments),
    /// What the compiler does not check: crate directions, file sizes, names, links of the pages
    Tidy,
    /// Every failure of a detector with its effect: nothing passes silently
    Matrix,
    /// Dashboards and rules: their form and, with `--prometheus`, data for every query
    Dashboards(dashboards::Arguments),
    /// The reference pages in docs/ (API, CLI, CONFIGURATION, METRICS, K6-COMPATIBILITY) and the schemas of suite and system files from the code
    Reference(reference::Arguments),
    /// The pages of docs/ as a book in target/book, by mdBook
    Book,
    /// Release files: an archive with completions and man pages, an SBOM, checksums
    Dist(dist::Arguments),
    /// The requirements by id, each with the test or place that fulfils it
    Seeds,
    /// Measure against peers in the same run
    #[command(subcommand)]
    Bench(bench::Bench),
}

impl Task {
    /// Runs the task. Returns whether it succeeded.
    pub fn run(&self, root: &Path) -> bool {
        match self {
            Self::Validate(arguments) => validate::run(root, arguments),
            Self::Tidy => tidy::run(root),
            Self::Matrix => matrix::run(root),
            Self::Dashboards(arguments) => dashboards::run(root, arguments),
            Self::Reference(arguments) => reference::run(root, arguments),
            Self::Book => book::run(root),
            Self::Dist(arguments) => dist::run(root, arguments),
            Self::Seeds => seeds::run(root),
            Self::Bench(bench) => bench::run(bench, root),
        }
    }
}
