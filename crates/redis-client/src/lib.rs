//! A Redis client for one virtual user: a single server, a cluster, or a master that sentinels know.
//!
//! Bytes go over whatever the caller dials ([`Dial`]); the `redis` crate packs commands and reads replies. A connection
//! carries one command at a time and goes back to a pool, so that a command that blocks does not hold up others.

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
