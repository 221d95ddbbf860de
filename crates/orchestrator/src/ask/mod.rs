//! Asking detectors: all of a plan at once, each through its guards, over HTTP in its dialect.

pub mod attempt;
pub mod call;
pub mod called;
pub mod context;
pub mod dialect;
pub mod failure;
pub mod fanout;
pub mod health;
pub mod network;
pub mod registry;
pub mod replicas;
pub mod transport;
pub mod trust;
