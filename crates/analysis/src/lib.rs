//! Statistical analysis of measurements: intervals, tests, models and verdicts.
//!
//! Pure functions over `f64`: no clock, no randomness, no I/O, no formats. Every function names the source
//! of its method, rejects input that it cannot analyse with an [`InputError`], and never panics on input.
//! Units are the caller's unless a name ends with one.

pub mod adjustment;
pub mod apdex;
pub mod blast_radius;
pub mod canary;
pub mod capacity;
pub mod change_point;
pub mod closed_network;
pub mod comparison;
pub mod distribution;
pub mod effect;
pub mod effective_size;
pub mod fault;
pub mod kneedle;
pub mod ladder;
pub mod laws;
pub mod least_squares;
pub mod mann_whitney;
pub mod order_interval;
pub mod outlier;
pub mod percentile;
pub mod proportion;
pub mod queueing;
pub mod sawtooth;
pub mod service_demand;
pub mod shift;
pub mod slo_search;
pub mod soak;
pub mod steady_state;
pub mod threshold;
pub mod trend;
pub mod usl;

mod input;
mod interval;
mod moments;
mod sorted;

pub use input::InputError;
pub use interval::Interval;
pub use sorted::Sorted;
