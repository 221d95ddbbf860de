//! A request: its caller, its content, its detectors, and its run.

pub mod auth;
pub mod demands;
pub mod envelope;
pub mod intake;
mod json_error;
pub mod limit;
pub mod once;
pub mod planned;
pub mod reply;
pub mod select;
pub use live_config::strict;
