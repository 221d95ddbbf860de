//! Wire types, paths and headers that the orchestrator, the mock detectors and their clients
//! share. Data only: no I/O, no validation beyond what serde gives.

pub mod detect;
pub mod dialect;
pub mod header;
pub mod orchestrate;
pub mod scope;
