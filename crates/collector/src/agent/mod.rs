//! Agents: machines that execute runners on request (`sparring agent`).
//!
//! An agent receives an archive of the script with its files, and executes it as a runner of the collector
//! in the order. It executes one run at a time, only for clients with its token. A run whose client stops
//! polling is ended, because its collector is lost.

mod client;
mod process;
mod server;
mod wire;

pub use client::{AgentError, RemoteAgent};
pub use server::{AgentSettings, serve_agent};
pub use wire::{Hello, Order, RunState, Status};
