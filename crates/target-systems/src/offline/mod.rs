//! The same network in virtual time: load that is simulated with it, and logs that are replayed.

mod load;
mod recompute;
mod report;
mod simulate;

pub use load::{Load, Mix};
pub use recompute::{Difference, differences, recompute};
pub use report::{Report, Utilisation};
pub use simulate::{Simulation, simulate};
