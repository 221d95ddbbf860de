//! Outputs of a run: samples to files and services, log lines to Loki, the REST API, archives.
//!
//! An [`Output`] consumes single samples on its own thread, behind a bounded queue
//! ([`Outputs`]), so that it never slows the load.

pub mod archive;
mod create;
pub mod csv;
mod datagram;
mod grpc;
pub mod influxdb;
pub mod json;
pub mod junit;
mod lane;
pub mod loki;
pub mod opentelemetry;
mod output;
pub mod prometheus_rw;
pub mod push;
pub mod rest;
mod sample_file;
pub mod statsd;
mod timestamp;

pub use create::{create, is_service};
pub use lane::{LaneReport, Outputs};
pub use output::{Environment, Output, OutputError, RunEnd, Setup, Stdout};
