//! Measurements against peers in the same run. Absolute figures drift with the machine, ratios
//! hold.
//!
//! Each benchmark lies in a file of its own, has `Arguments` and `run`, and is listed in [`Bench`].

pub mod driver;
pub mod mock;
pub mod orchestrator;
pub mod process;
pub mod target;

use clap::Subcommand;

/// The benchmarks.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// The load driver against real k6
    Driver(driver::Arguments),
    /// The server of the driver's benchmark, which starts it by itself
    #[command(hide = true)]
    DriverServer(driver::server::Arguments),
    /// The mock detector beside bare axum, bare hyper and `WireMock`
    Mock(mock::Arguments),
    /// The orchestrator beside a bare fan-out, its cache beside a bare echo
    Orchestrator(orchestrator::Arguments),
    /// A simulated system beside bare axum, and what it costs to keep one
    Target(target::Arguments),
}

/// Runs a benchmark. True: it came to its end.
pub fn run(bench: &Bench) -> bool {
    match bench {
        Bench::Driver(arguments) => driver::run(arguments),
        Bench::DriverServer(arguments) => driver::server::run(arguments),
        Bench::Mock(arguments) => mock::run(arguments),
        Bench::Orchestrator(arguments) => orchestrator::run(arguments),
        Bench::Target(arguments) => target::run(arguments),
    }
}
