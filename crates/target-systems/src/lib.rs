//! Simulated whole systems: targets of load tests, with a truth that the analysis has to find.
//!
//! A [`document::Document`] is the form that people write. A [`System`] holds a valid one and the [`plan::Plan`]
//! compiled from it: hosts with resources, components with slots, flows of steps. [`network::Network`] runs it in the
//! caller's time, [`offline`] in virtual time, [`serve`] behind a socket, and [`truth`] computes the results that a
//! correct analysis finds. Nothing uses real CPU time or memory: resources are simulated, so a small machine can
//! simulate a large one.

mod compile;
mod describe;
pub mod document;
pub mod limits;
mod load;
pub mod network;
pub mod offline;
mod parts;
pub mod plan;
pub mod request;
mod running;
pub mod serve;
mod system;
pub mod systems;
mod timeline;
pub mod truth;

pub use describe::openapi;
pub use load::{Overrides, Setting, load};
pub use system::{CHOICES, System, schema};
