//! Resources, sampled once a second: those of the target, and those of the generator.

mod cgroup;
mod clock;
mod declared;
mod generator;
mod host;
mod monitor;
mod ports;
mod process;
mod punctual;
mod quota;
mod simulated;
mod simulator;

pub use cgroup::has_cgroup;
pub use generator::Generator;
pub use monitor::{Monitor, Source, Watched};
pub use ports::is_here;
pub use process::has_process;
pub use punctual::Current;
pub use simulator::Simulators;
