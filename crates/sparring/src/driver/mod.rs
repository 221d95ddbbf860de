//! The load driver as a command: everything between the command line and the engine.

mod archive;
pub mod args;
mod banner;
mod failure;
mod inspect;
mod layers;
mod logging;
mod new_script;
mod progress;
mod remote;
mod report;
mod session;
mod target;

use load_engine::Exit;
use serde_json::Value;

pub use archive::{ArchiveArgs, archive};
pub use args::Args;
pub use inspect::{InspectArgs, inspect};
pub use new_script::{NewArgs, new_script};
pub use remote::Remote;

/// The version of k6 whose behaviour is followed.
pub const K6_VERSION: &str = "2.2.0";

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Driven {
    /// The exit code that k6 would give.
    pub exit: Exit,
    /// The data that `handleSummary` gets; null when the run never began.
    pub summary_data: Value,
    /// What makes the numbers doubtful: dropped samples, an interruption.
    pub spoilt_by: Vec<String>,
}

/// Does everything that `run` does (banner, progress, summary on the standard output) except ending
/// the process. Blocks the calling thread, which must not be one of an asynchronous runtime.
pub fn drive(args: &Args) -> Driven {
    match session::run(args) {
        Ok(driven) => driven,
        Err(failure) => {
            report::failure(args, &failure);
            Driven {
                exit: failure.exit,
                summary_data: Value::Null,
                spoilt_by: Vec::new(),
            }
        }
    }
}
