//! Reads and validates `detectors.yaml`: the fleet of detectors, their limits and mock profiles.

mod check;
mod config;
mod endpoint;
mod load;
mod rate_limit;
mod secret;
mod source;

pub use check::{NO_NAME, NO_PATH, is_name, is_path};
pub use config::{
    ApiKey, Auth, AuthMode, Cache, Connections, Detector, Fleet, Health, Orchestration, Overload,
    PerformanceTargets, Service,
};
pub use endpoint::Endpoint;
pub use load::{BUILT_IN, LoadError, load, load_again, load_from, setting_names};
pub use rate_limit::{Quota, RateLimit};
pub use secret::{SecretUrl, StoreKeys, shown_url};
pub use source::Source;
