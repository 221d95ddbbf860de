//! One run on several machines. Each runner executes a segment of the load; the collector coordinates the run.
//!
//! Runners push their measurements each second as counts and histograms, never as percentiles. The collector
//! merges them in the order of the runners' names, evaluates the thresholds of the script on the sum, lets one
//! runner execute `setup` and `teardown`, and starts all at the same time. A runner that falls silent makes the run
//! invalid, or degraded where that is allowed; the run never continues with less load unnoticed.

mod agent;
mod client;
mod judged;
mod local_copy;
mod odd;
mod output;
mod result;
mod runner;
mod server;
mod sinks;
mod state;
mod together;
mod token;
mod wire;

pub use agent::{
    AgentError, AgentSettings, Hello, Order, RemoteAgent, RunState, Status, serve_agent,
};
pub use client::{Client, ClientError};
pub use local_copy::OwnResults;
pub use output::{Push, Stop};
pub use result::{Collected, RunnerResult, Verdict};
pub use server::{Ends, Settings, serve};
pub use together::Member;
pub use token::TOKEN_VARIABLE;
pub use wire::{Joining, MetricName, SummaryOptions};
