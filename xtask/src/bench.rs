//! Measurements against peers in the same run. Absolute figures depend on the machine, ratios do not.
//!
//! Each benchmark has a separate file with `Arguments` and `run`, and is listed in [`Bench`].

pub mod driver;
pub mod mock;
pub mod orchestrator;
mod peers;
pub mod process;
pub mod scale;
mod section;
pub mod target;

use std::path::Path;

use clap::Subcommand;

/// The benchmarks.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// The load driver against real k6, wrk and oha
    Driver(driver::Arguments),
    /// The server of the driver's benchmark, which starts it automatically
    #[command(hide = true)]
    DriverServer(driver::server::Arguments),
    /// The mock detector against plain axum, plain hyper and `WireMock`
    Mock(mock::Arguments),
    /// The orchestrator against a plain fan-out, its cache against a plain echo
    Orchestrator(orchestrator::Arguments),
    /// The load driver from one virtual user to fifty thousand
    Scale(scale::Arguments),
    /// A simulated system against plain axum, and its cost when idle
    Target(target::Arguments),
}

/// Runs a benchmark. Returns whether it was completed.
pub fn run(bench: &Bench, root: &Path) -> bool {
    match bench {
        Bench::Driver(arguments) => driver::run(arguments, root),
        Bench::DriverServer(arguments) => driver::server::run(arguments),
        Bench::Mock(arguments) => mock::run(arguments, root),
        Bench::Orchestrator(arguments) => orchestrator::run(arguments, root),
        Bench::Scale(arguments) => scale::run(arguments, root),
        Bench::Target(arguments) => target::run(arguments, root),
    }
}
