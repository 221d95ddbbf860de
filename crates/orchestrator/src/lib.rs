//! The system under test: fans one request out to many detectors and answers in time.
//!
//! `router` lists the routes; `endpoint` has a file for each group of them. A request goes through `pipeline`
//! from top to bottom, and the folders follow it: `request` reads and plans it, `share` may have its answer
//! already, `ask` calls the detectors, `answer` attests their answers and combines them. `App` holds the state:
//! `answering`, `catalog` and `jobs`.

pub mod config;

mod answer;
mod answering;
mod app;
mod ask;
mod catalog;
mod endpoint;
mod error;
mod events;
mod from_fleet;
mod jobs;
mod metrics;
#[cfg(any(test, feature = "testing"))]
pub mod mutate;
#[cfg(test)]
mod no_weaker;
mod overload;
mod pipeline;
mod policies;
mod policy;
pub mod reload;
mod request;
mod router;
mod service;
mod shadow;
mod share;

pub use config::{Config, ConfigError};
pub use reload::Reload;
pub use request::auth::hash as hash_key;
pub use service::{run, run_following};
