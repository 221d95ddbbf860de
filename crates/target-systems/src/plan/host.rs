//! Hosts: resource domains of equal instances.

use std::sync::Arc;
use std::time::Duration;

use super::Usl;

/// A resource domain. Limits apply to each instance; resources without a limit are counted nevertheless.
#[derive(Debug, Clone)]
pub struct Host {
    pub name: Arc<str>,
    /// 1 or more.
    pub instances: usize,
    pub cpu_cores: Option<f64>,
    pub disk_iops: Option<f64>,
    /// MB of 10^6 bytes.
    pub disk_mb_per_s: Option<f64>,
    /// Space for the stores on this host, in MB of 2^20 bytes.
    pub disk_mb: Option<f64>,
    /// 10^6 bits per second.
    pub network_mbit_per_s: Option<f64>,
    /// MB of 2^20 bytes, like all memory.
    pub memory_mb: Option<f64>,
    pub base_mb: f64,
    /// For each request in flight on the edge's host, for each visit on other hosts.
    pub in_flight_mb: f64,
    pub garbage: Option<Garbage>,
    pub leak: Option<Leak>,
    pub crash: Crash,
    pub autoscale: Option<Autoscale>,
    /// Slows CPU and service by 1 + sigma (m − 1) + kappa m (m − 1) with m instances.
    pub usl_instances: Option<Usl>,
    /// From the scaling decision to accepting work, for added instances. Those of the first plan are up at
    /// once.
    pub start: Duration,
}

/// Allocations accumulate until they are collected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Garbage {
    /// Share of `memory_mb` at which a collection begins, 0 to 1.
    pub collect_at: f64,
    /// Time for which the CPU stops.
    pub pause: Duration,
}

/// Memory that is never freed; kB of 1 024 bytes, before the plan's ageing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leak {
    /// For each request on the edge's host, for each visit on other hosts.
    pub kb_per_request: f64,
    pub kb_per_s: f64,
}

/// The effects of a crash of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crash {
    /// From the crash to accepting work again.
    pub restart: Duration,
    /// From the crash until the instance receives no more work.
    pub detect: Duration,
    /// The result of its requests in flight.
    pub in_flight: CrashAnswer,
}

/// The result of requests on a crashed instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashAnswer {
    Status(u16),
    /// The connection is closed without a response.
    Close,
}

/// The number of instances follows the CPU utilisation: ceil(n × use / target).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Autoscale {
    pub min: usize,
    pub max: usize,
    /// Share of the cores, above 0 and up to 1.
    pub target_cpu: f64,
    pub every: Duration,
    /// From the decision to accepting work.
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
