//! The executors, which decide when iterations begin: one file each, all with the same VU pool.

mod arrival;
mod by_hand;
mod constant_vus;
mod context;
mod external;
mod iterations;
mod ramping_vus;

pub(crate) use context::ExecutorContext;
pub use context::ScenarioStatus;

use crate::options::Executor;

/// Runs a scenario from its start time to the end of its last iteration.
pub(crate) async fn run(context: ExecutorContext) {
    if !context.wait_for_start().await {
        return;
    }
    match &context.scenario.executor {
        Executor::ConstantVus(config) => constant_vus::run(&context, config).await,
        Executor::RampingVus(config) => ramping_vus::run(&context, config).await,
        Executor::SharedIterations(config) => iterations::run_shared(&context, config).await,
        Executor::PerVuIterations(config) => iterations::run_per_vu(&context, config).await,
        Executor::ConstantArrivalRate(config) => arrival::run_constant(&context, config).await,
        Executor::RampingArrivalRate(config) => arrival::run_ramping(&context, config).await,
        Executor::ExternallyControlled(config) => external::run(&context, config).await,
    }
    context.status.end(context.run.stopped().is_cancelled());
}
