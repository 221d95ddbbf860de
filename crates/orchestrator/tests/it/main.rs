//! The orchestrator over HTTP, against scripted detectors.

mod admin;
mod batch;
mod beyond;
mod detector;
mod http_api;
mod matrix;
mod orchestrate;
mod resilience;
mod service;
