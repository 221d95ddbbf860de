//! Hosts: domains of resources.

use schemars::JsonSchema;
use serde::Deserialize;

/// A domain of equal instances, each with these resources. Resources without a limit are counted
/// nevertheless.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// Number of equal instances, 1 to 1024.
    pub instances: u32,
    /// Cores of an instance, shared equally by its jobs; a job uses at most one core.
    pub cpu_cores: Option<f64>,
    /// Memory of an instance in MB of 2^20 B; above it, the instance crashes.
    pub memory_mb: Option<f64>,
    /// Memory that is always used.
    pub base_mb: f64,
    /// Memory per request in flight.
    pub in_flight_mb: f64,
    /// Operations per second of the disk.
    pub disk_iops: Option<f64>,
    /// Transfer rate of the disk, in MB of 10^6 B.
    pub disk_mb_per_s: Option<f64>,
    /// Size of the disk in MB of 10^6 B; writes beyond it fail with `disk_full`.
    pub disk_mb: Option<f64>,
    /// Rate of the link, in 10^6 bit per second.
    pub network_mbit_per_s: Option<f64>,
    /// Memory that is allocated and garbage-collected.
    pub garbage: Option<Garbage>,
    /// Memory that is never freed.
    pub leak: Option<Leak>,
    /// Crashes, when memory is exhausted or on request.
    pub crash: Crash,
    /// Slowdown by the number of instances.
    pub usl: Option<HostUsl>,
    /// Time from the addition of an instance to its first request.
    pub start_ms: f64,
    /// Adds and removes instances with the load. Absent: off.
    pub autoscale: Option<Autoscale>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            instances: 1,
            cpu_cores: None,
            memory_mb: None,
            base_mb: 0.0,
            in_flight_mb: 0.0,
            disk_iops: None,
            disk_mb_per_s: None,
            disk_mb: None,
            network_mbit_per_s: None,
            garbage: None,
            leak: None,
            crash: Crash::default(),
            usl: None,
            start_ms: 0.0,
            autoscale: None,
        }
    }
}

/// Garbage: allocations accumulate and are collected together, while the processor stops.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Garbage {
    /// Share of `memory_mb` at which garbage is collected, 0 to 1.
    pub collect_at: f64,
    /// Time for which the processor stops.
    pub pause_ms: f64,
}

impl Default for Garbage {
    fn default() -> Self {
        Self {
            collect_at: 0.75,
            pause_ms: 0.0,
        }
    }
}

/// A leak of memory.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Leak {
    /// Memory leaked per request, in kB of 2^10 B.
    pub kb_per_request: f64,
    /// Memory leaked over time, in kB of 2^10 B per second.
    pub kb_per_s: f64,
}

/// The crash of an instance and its restart.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Crash {
    /// Time from the crash to the first request afterwards.
    pub restart_ms: f64,
    /// Time for which a crashed instance continues to receive its share.
    pub detect_ms: f64,
    /// The result of requests in flight.
    pub in_flight: InFlight,
}

impl Default for Crash {
    fn default() -> Self {
        Self {
            restart_ms: 10_000.0,
            detect_ms: 1_000.0,
            in_flight: InFlight::default(),
        }
    }
}

/// The result of requests in flight on a crashed instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum InFlight {
    /// A response with this status.
    Status(u16),
    /// A closed connection.
    Close {},
}

impl Default for InFlight {
    fn default() -> Self {
        Self::Status(502)
    }
}

/// The universal scalability law: the capacity of n is n/(1 + sigma·(n−1) + kappa·n·(n−1)).
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Usl {
    /// Contention, 0 to 1.
    pub sigma: f64,
    /// Coherency (crosstalk), 0 or more.
    pub kappa: f64,
}

/// The law over the instances of a host.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostUsl {
    /// By the number of instances.
    pub instances: Usl,
}

/// The law over the concurrent visits of an instance of a component.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentUsl {
    /// By the number of concurrent visits.
    pub concurrency: Usl,
}

/// A rule for the number of instances: ceil(instances · utilisation / `target_cpu`).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Autoscale {
    /// Minimum number of instances.
    #[serde(default = "one")]
    pub min: u32,
    /// Maximum number of instances.
    pub max: u32,
    /// Target utilisation of the processor, 0 to 1.
    #[serde(default = "default_target")]
    pub target_cpu: f64,
    /// Time between two evaluations of the utilisation.
    #[serde(default = "default_every_ms")]
    pub every_ms: f64,
    /// Time from the addition of an instance to its first request.
    #[serde(default)]
    pub start_ms: f64,
}

fn one() -> u32 {
    1
}

fn default_target() -> f64 {
    0.7
}

fn default_every_ms() -> f64 {
    15_000.0
}
