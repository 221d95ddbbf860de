//! Options, scenarios, executors and VU pool of the load driver.
//!
//! The engine has no JavaScript and no HTTP: the work of a virtual user is behind [`Program`] and [`Vu`]. A
//! VU belongs to one worker thread (a current-thread runtime with a `LocalSet`) and is one local task there;
//! executors decide when it iterates.

/// The version of k6 whose behaviour is reproduced, as a literal.
#[macro_export]
macro_rules! k6_version {
    () => {
        "2.2.0"
    };
}

mod activation;
mod arrivals;
mod call;
mod exchanges;
mod executor;
mod exit;
pub mod functions;
mod gather;
pub mod go_text;
mod handed;
pub mod health;
pub mod inspect;
mod job;
pub mod log;
pub mod options;
pub mod plan;
mod pool;
mod results;
mod run;
mod script;
pub mod segment;
mod source;
mod state;
pub mod summary;
pub mod system_errors;
pub mod thresholds;
mod together;
mod vu;
mod worker;
mod worker_pool;
mod workers;

pub use activation::{Activation, Iteration, IterationEnd, ScenarioState};
pub use exchanges::{Ended, Ending, Exchange, Exchanges, Taken};
pub use executor::ScenarioStatus;
pub use exit::Exit;
pub use gather::Gatherer;
pub use results::{CheckResult, Standings, ThresholdResult};
pub use run::{Failure, Outcome, Run, SummaryFiles, SummaryOutput, scenario_statuses};
pub use script::{Interrupt, ScriptError, SummaryCall, SummaryFile, SummaryReturn};
pub use state::{Instance, Phase, RunControl, RunState, TestEnd};
pub use together::{Together, TogetherFuture};
pub use vu::{Program, Vu, VuContext, VuIds};
pub use workers::Workers;

/// The version of k6 whose behaviour is reproduced.
pub const K6_VERSION: &str = k6_version!();
