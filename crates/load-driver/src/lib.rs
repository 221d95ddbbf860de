//! The load driver: everything between the command line and the engine. It prints to the given
//! streams, so that a suite can drive in its own process.

mod archive;
pub mod args;
mod banner;
mod deps;
mod driven;
mod failure;
mod features;
mod inspect;
mod invocation;
mod layers;
mod logging;
mod merged;
mod new_script;
mod outputs;
mod progress;
mod remote;
mod report;
mod run_handle;
mod session;
mod surroundings;
mod target;
mod together;

use load_engine::health::HealthReport;
use load_outputs::Output;
use serde_json::Value;

pub use archive::{ArchiveArgs, archive, archived};
pub use args::Args;
pub use deps::{DepsArgs, deps};
pub use driven::{Driven, Trend};
pub use features::{FeaturesArgs, list as list_features};
pub use inspect::{InspectArgs, inspect, try_script};
pub use load_engine::K6_VERSION;
pub use load_engine::system_errors::without_numbers;
pub use logging::pairs as log_line;
pub use merged::handle_merged;
pub use new_script::{NewArgs, new_script};
pub use remote::Remote;
pub use report::refusal as log_refusal;
pub use run_handle::RunHandle;
pub use surroundings::{Input, Interruption, Stream, Surroundings};

/// Performs the whole command `run`: banner, progress, the run, its summary. Blocks the calling
/// thread, which must not be one of an asynchronous runtime.
pub fn drive(args: &Args, around: &Surroundings) -> Driven {
    drive_seen(args, around, Vec::new(), &RunHandle::default())
}

/// The same; the samples also go to these outputs, and `seen` shows the run in progress to other
/// threads.
pub fn drive_seen(
    args: &Args,
    around: &Surroundings,
    outputs: Vec<Box<dyn Output>>,
    seen: &RunHandle,
) -> Driven {
    match session::run(args, around, outputs, seen) {
        Ok(driven) => driven,
        Err(failure) => {
            report::failure(args, around, &failure);
            Driven {
                exit: failure.exit,
                summary_data: Value::Null,
                invalid_because: Vec::new(),
                completed_iterations: 0,
                failed_iterations: 0,
                cut_iterations: 0,
                without_samples: Vec::new(),
                trends: Vec::new(),
                health: HealthReport::default(),
                dropped_samples: 0,
            }
        }
    }
}
