//! Hosts: domains of resources.

use schemars::JsonSchema;
use serde::Deserialize;

/// A domain of equal instances, each with these resources. An absent resource is unlimited and
/// still counted.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// Equal instances, 1 to 1024.
    pub instances: u32,
    /// Cores of an instance, shared equally by its jobs; a job uses one core at most.
    pub cpu_cores: Option<f64>,
    /// Memory of an instance in MB of 2^20 B; above it, the instance crashes.
    pub memory_mb: Option<f64>,
    /// Memory that is always in use.
    pub base_mb: f64,
    /// Memory of a request in flight.
    pub in_flight_mb: f64,
    /// Operations per second of the disk.
    pub disk_iops: Option<f64>,
    /// Transfer rate of the disk, in MB of 10^6 B.
    pub disk_mb_per_s: Option<f64>,
    /// Size of the disk in MB of 10^6 B; what is written beyond it fails with `disk_full`.
    pub disk_mb: Option<f64>,
    /// Rate of the link, in 10^6 bit per second.
    pub network_mbit_per_s: Option<f64>,
    /// Memory that is allocated and collected.
    pub garbage: Option<Garbage>,
    /// Memory that is never given back.
    pub leak: Option<Leak>,
    /// What happens when memory is used up, or a crash is asked for.
    pub crash: Crash,
    /// Loss of speed with the number of instances.
    pub usl: Option<HostUsl>,
    /// Time from the addition of an instance to its first request.
    pub start_ms: f64,
    /// Instances that come and go with the load. Off when absent.
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

/// Garbage: allocations add up and are collected together, while the processor stands still.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Garbage {
    /// Share of `memory_mb` at which garbage is collected, 0 to 1.
    pub collect_at: f64,
    /// Time for which the processor stands still.
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
    /// Memory that a request leaves behind, in kB of 2^10 B.
    pub kb_per_request: f64,
    /// Memory that time leaves behind, in kB of 2^10 B per second.
    pub kb_per_s: f64,
}

/// The end of an instance and its return.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Crash {
    /// Time from the crash to the first request afterwards.
    pub restart_ms: f64,
    /// Time for which a crashed instance is still sent its share.
    pub detect_ms: f64,
    /// What requests in flight get.
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

/// What requests get that were in flight on a crashed instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum InFlight {
    /// An answer with this status.
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
    /// Crosstalk, 0 or more.
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
    /// Instances at least.
    #[serde(default = "one")]
    pub min: u32,
    /// Instances at most.
    pub max: u32,
    /// Utilisation of the processor that is aimed at, 0 to 1.
    #[serde(default = "default_target")]
    pub target_cpu: f64,
    /// Time between two looks at the utilisation.
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
