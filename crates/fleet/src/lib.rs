//! Reads and validates `detectors.yaml`: the fleet of detectors, their limits and mock profiles.

mod check;
mod config;
mod fault;
mod load;
pub mod read;

pub use config::{
    ApiKey, Auth, AuthMode, Cache, Detector, Fleet, Health, Orchestration, Overload,
    PerformanceTargets, Service,
};
pub use fault::{Fault, Faults};
pub use load::{BUILT_IN, LoadError, load};
