//! An adaptive limit of calls in flight, from their latency: [`Limit`] decides, [`Gate`] admits, queues and
//! rejects.

mod core;
mod gate;

pub use core::{Config, Limit, Sample};
pub use gate::{Full, Gate, Pass, Rank, Waiting};

#[cfg(test)]
mod laws;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod starved;
