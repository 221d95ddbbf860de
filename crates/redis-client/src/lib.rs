//! A Redis client for one virtual user: a single server, a cluster, or a master behind sentinels.
//!
//! The caller opens the connections ([`Dial`]); the `redis` crate encodes commands and parses replies. A connection
//! carries one command at a time and returns to a pool, so that a blocking command does not delay others.

mod client;
mod cluster;
mod command;
mod connection;
mod failure;
mod node;
mod options;
mod pool;
pub mod reply;
mod sentinels;
mod slots;

pub use client::Client;
pub use command::Command;
pub use connection::{Dial, DialError, Wire};
pub use failure::Failure;
pub use options::{Backoff, Login, Options, PoolSize, Reads, Routing, Servers, Timeouts};
pub use redis::Value;
