//! How many calls may be under way, found by watching how long they take: [`Limit`] decides,
//! [`Gate`] lets in, holds back and turns away.

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
