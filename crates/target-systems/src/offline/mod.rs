//! The network in virtual time: simulated load, and replay of logs.

mod load;
mod recompute;
mod report;
mod simulate;

pub use load::{Load, Mix};
pub use recompute::{Difference, differences, recompute};
pub use report::{Report, Utilisation};
pub use simulate::{Simulation, simulate};
