//! The orchestrator over HTTP, against scripted detectors.

mod admin;
mod batch;
mod beyond;
mod canary;
mod contract;
mod detector;
mod docs;
mod doors;
mod errors;
mod fuzz;
mod http_api;
mod jobs;
mod limits;
mod matrix;
#[path = "../../src/mutate.rs"]
mod mutate;
mod orchestrate;
mod outcomes;
mod overload;
mod privacy;
mod promises;
mod redis;
#[path = "../../src/store/redis/server.rs"]
mod redis_server;
mod registration;
mod reload;
mod replicas;
mod resilience;
mod scrape;
mod service;
mod sharing;
