//! The system under test: fans one request out to many detectors and answers in time.
//!
//! A request goes through one file after the other: `intake` and `auth` accept it, `select` plans
//! it, `cache` and `flights` may already have its answer, `fanout` asks every detector through
//! `call`, `answer` attests what they say, `conflict`, `verdict` and `aggregate` make one answer of
//! it. `router` lists what can be called.

pub mod config;
pub mod rate_limit;
pub mod store;

mod aggregate;
mod answer;
mod answers;
mod app;
mod asked;
mod attempt;
mod auth;
mod bounded;
mod cache;
mod call;
mod conflict;
mod dialect;
mod endpoint;
mod error;
mod events;
mod failure;
mod fanout;
mod flights;
mod from_fleet;
mod health;
mod intake;
mod invalidations;
mod jobs;
mod json;
mod metrics;
#[cfg(test)]
mod mutate;
mod network;
mod overload;
mod partials;
mod policies;
mod policy;
mod registry;
pub mod reload;
mod replicas;
mod router;
mod run;
mod select;
mod service;
mod shadow;
mod shared_answers;
mod transport;
mod verdict;

pub use auth::hash as hash_key;
pub use config::{Config, ConfigError};
pub use reload::Reload;
pub use service::{run, run_following};
