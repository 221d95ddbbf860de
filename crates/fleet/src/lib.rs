//! Reads and validates detectors.yaml.
