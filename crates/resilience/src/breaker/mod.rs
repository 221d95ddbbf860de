//! Circuit breaker: closed, open, half_open.
//!
//! `Config` says when it trips, `Core` decides, `Breaker` is the shared handle whose permits
//! give themselves back when dropped.

mod config;

pub use config::{Config, Window};
