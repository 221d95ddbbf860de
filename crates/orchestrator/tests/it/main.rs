//! The orchestrator over HTTP, against scripted detectors.

mod admin;
mod batch;
mod beyond;
mod detector;
mod docs;
mod http_api;
mod jobs;
mod matrix;
mod orchestrate;
mod overload;
mod promises;
mod replicas;
mod resilience;
mod service;
mod sharing;
