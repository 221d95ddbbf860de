//! Reads and validates `detectors.yaml`: the fleet of detectors, their limits and mock profiles.

pub mod fault;
pub mod read;
