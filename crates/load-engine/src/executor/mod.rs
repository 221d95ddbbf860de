//! When iterations begin: one file per executor, all over the same VU pool.

mod arrival;
mod constant_vus;
mod external;
mod iterations;
mod ramping_vus;
mod stand;

pub(crate) use arrival::Seat as ArrivalSeat;
pub use stand::Board;
pub(crate) use stand::Stand;

use crate::options::Executor;

/// Runs a scenario from its start time to the end of its last iteration.
pub(crate) async fn run(stand: Stand) {
    if !stand.wait_for_start().await {
        return;
    }
    match &stand.scenario.executor {
        Executor::ConstantVus(config) => constant_vus::run(&stand, config).await,
        Executor::RampingVus(config) => ramping_vus::run(&stand, config).await,
        Executor::SharedIterations(config) => iterations::run_shared(&stand, config).await,
        Executor::PerVuIterations(config) => iterations::run_per_vu(&stand, config).await,
        Executor::ConstantArrivalRate(config) => arrival::run_constant(&stand, config).await,
        Executor::RampingArrivalRate(config) => arrival::run_ramping(&stand, config).await,
        Executor::ExternallyControlled(config) => external::run(&stand, config).await,
    }
    stand.board.end(stand.run.stopped().is_cancelled());
}
