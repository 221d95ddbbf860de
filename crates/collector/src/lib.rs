//! One run on several machines. Each runner has its segment of the load; the collector has the rest.
//!
//! Runners push what they measured as counts, each second: histograms, never percentiles. The collector
//! adds them up in the order of the runners' names, judges the thresholds of the script by the sum, lets one
//! runner run `setup` and `teardown`, and lets all begin at one time. A runner that falls silent makes the run
//! invalid, or degraded where that is allowed; never silently smaller.

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
