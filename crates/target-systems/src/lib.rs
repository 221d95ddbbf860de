//! Simulated whole systems: what a load test aims at, with a truth that its analysis has to find.
//!
//! A [`document::Document`] is what a person writes. A [`System`] holds one that has no errors and
//! the [`plan::Plan`] it compiles to: hosts with resources, components with slots, flows of steps.
//! [`network::Network`] runs it in the caller's time, [`offline`] in virtual time, [`serve`] behind a
//! socket, and [`truth`] tells what a right analysis of it finds. Nothing burns CPU or memory: resources are simulated,
//! so a small machine plays a large one.

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
