//! The fate of request *n*: the pure, seeded model of a mock detector.
//!
//! A [`Profile`] is written by a person: latency, failures, schedule, queue. This crate reads no clock, does no
//! I/O and owns no randomness. A decision is a function of the profile, a key and a time from the caller. The
//! servers carry it out.

mod behaviour;
pub mod connection;
pub mod correlation;
pub mod decide;
pub mod draw;
pub mod failure;
pub mod job_queue;
pub mod latency;
pub mod listener;
pub mod patch;
pub mod plan;
pub mod profile;
pub mod queue;
pub mod rate_limit;
pub mod record;
pub mod sampler;
pub mod schedule;
mod states;
pub mod timeline;

pub use behaviour::Behaviour;
pub use decide::{Decision, Key, Model, Request, Verdicts};
pub use failure::{Failure, Phase, WeightedFailure};
pub use latency::Latency;
pub use listener::Listener;
pub use profile::Profile;
pub use timeline::Timeline;
