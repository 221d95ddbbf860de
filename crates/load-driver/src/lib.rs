//! The load driver: everything between the command line and the engine. It prints to the given
//! streams, so that a suite can drive in its own process.

mod archive;
pub mod args;
mod banner;
mod deps;
mod drive;
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
mod summary_layout;
mod surroundings;
mod target;
mod together;

pub use archive::{ArchiveArgs, archive, archived};
pub use args::Args;
pub use deps::{DepsArgs, deps};
pub use drive::{drive, drive_seen};
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
