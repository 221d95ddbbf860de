//! Detector servers driven by fault profiles.
