//! Reads and validates `detectors.yaml`: the fleet of detectors, their limits and mock profiles.

mod check;
mod config;
mod fault;
mod load;
mod rate_limit;
pub mod read;
mod secret;

pub use config::{
    ApiKey, Auth, AuthMode, Cache, Detector, Fleet, Health, Orchestration, Overload,
    PerformanceTargets, Service,
};
pub use fault::{Fault, Faults};
pub use load::{BUILT_IN, LoadError, load};
pub use rate_limit::{Quota, RateLimit};
pub use secret::{SecretUrl, StoreKeys};
