//! What shall happen to request *n*: the pure, seeded model behind a mock detector.
//!
//! A [`Profile`] is what a person writes: latency, failures, schedule, queue. Nothing here reads a
//! clock, does I/O or owns randomness: decisions are functions of the profile, a key and the time
//! that the caller passes in. The servers only carry them out.

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
