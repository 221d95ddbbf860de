//! The wire types, paths and headers of the orchestrator, the mock detectors and their clients. Only data: no I/O,
//! and no validation except that of serde.

pub mod detect;
pub mod dialect;
pub mod header;
pub mod orchestrate;
pub mod scope;
