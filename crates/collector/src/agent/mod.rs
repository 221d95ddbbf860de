//! Machines that lend themselves as runners: `sparring agent`.
//!
//! An agent is given an archive of the script with all that it reads, and runs it as a runner of the collector
//! that the order names. It runs one at a time, and only for those who know its token. A run of which nobody
//! asks any more is ended: its collector is gone.

mod client;
mod process;
mod server;
mod wire;

pub use client::{AgentError, RemoteAgent};
pub use server::{AgentSettings, serve_agent};
pub use wire::{Hello, Order, RunState, Status};
