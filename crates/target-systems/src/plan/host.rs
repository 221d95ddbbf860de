//! Hosts: resource domains of equal instances.

use std::sync::Arc;
use std::time::Duration;

use super::Usl;

/// A resource domain. Limits are for each instance; an absent one is unlimited and still counted.
#[derive(Debug, Clone)]
pub struct Host {
    pub name: Arc<str>,
    /// 1 or more.
    pub instances: usize,
    pub cpu_cores: Option<f64>,
    pub disk_iops: Option<f64>,
    /// MB of 10^6 bytes.
    pub disk_mb_per_s: Option<f64>,
    /// Room for the stores placed here, MB of 2^20 bytes.
    pub disk_mb: Option<f64>,
    /// 10^6 bits per second.
    pub network_mbit_per_s: Option<f64>,
    /// MB of 2^20 bytes, as all memory.
    pub memory_mb: Option<f64>,
    pub base_mb: f64,
    /// For each request in the house on the edge's host, for each visit elsewhere.
    pub in_flight_mb: f64,
    pub garbage: Option<Garbage>,
    pub leak: Option<Leak>,
    pub crash: Crash,
    pub autoscale: Option<Autoscale>,
    /// Slows CPU and service by 1 + sigma (m − 1) + kappa m (m − 1) with m instances.
    pub usl_instances: Option<Usl>,
    /// From being wanted to taking work, for instances that are added. Those of the first plan
    /// are up at once.
    pub start: Duration,
}

/// Allocations add up until they are collected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Garbage {
    /// Share of `memory_mb` at which a collection begins, 0 to 1.
    pub collect_at: f64,
    /// Time that the CPU stands still for.
    pub pause: Duration,
}

/// Memory that never comes back; kB of 1 024 bytes, before the plan's ageing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leak {
    /// For each request on the edge's host, for each visit elsewhere.
    pub kb_per_request: f64,
    pub kb_per_s: f64,
}

/// What a crash of an instance does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crash {
    /// From the crash to taking work again.
    pub restart: Duration,
    /// From the crash until nothing more is sent to it.
    pub detect: Duration,
    /// What its requests end with.
    pub in_flight: CrashAnswer,
}

/// What requests on a crashed instance end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashAnswer {
    Status(u16),
    /// The connection is closed without an answer.
    Close,
}

/// Instances follow the use of the CPU: ceil(n × use / target).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Autoscale {
    pub min: usize,
    pub max: usize,
    /// Share of the cores, above 0 and up to 1.
    pub target_cpu: f64,
    pub every: Duration,
    /// From the decision to taking work.
    pub start: Duration,
}

impl Host {
    /// One instance without limits.
    pub fn unlimited(name: &str) -> Self {
        Self {
            name: name.into(),
            instances: 1,
            cpu_cores: None,
            disk_iops: None,
            disk_mb_per_s: None,
            disk_mb: None,
            network_mbit_per_s: None,
            memory_mb: None,
            base_mb: 0.0,
            in_flight_mb: 0.0,
            garbage: None,
            leak: None,
            crash: Crash::default(),
            autoscale: None,
            usl_instances: None,
            start: Duration::ZERO,
        }
    }
}

impl Default for Crash {
    fn default() -> Self {
        Self {
            restart: Duration::from_secs(10),
            detect: Duration::from_secs(1),
            in_flight: CrashAnswer::Status(502),
        }
    }
}
