//! The generator: its process, what the machine takes from it, and whether it was on time.

use std::time::Instant;

use report::record::ResourceSample;

use super::clock::Clocks;
use super::host::Host;
use super::ports::Ports;
use super::process::{Process, cores_available};
use super::punctual::{Current, Punctual};
use super::quota;

/// Reads the generator again and again.
#[derive(Debug)]
pub struct Generator {
    own: Process,
    machine: Host,
    clocks: Clocks,
    ports: Ports,
    punctual: Punctual,
}

impl Generator {
    /// This process, which drives what `current` shows against the service at a URL.
    pub fn new(current: Current, base_url: &str) -> Self {
        Self {
            own: Process::own(),
            machine: Host::default(),
            clocks: Clocks::default(),
            ports: Ports::to(base_url),
            punctual: Punctual::new(current),
        }
    }

    /// Its resources at a time in seconds since 1970; `None` without procfs.
    pub fn sample(&mut self, wall_s: f64) -> Option<ResourceSample> {
        let around = self.machine.sample().unwrap_or_default();
        let mut own = self.own.sample()?;
        // A control group may leave it less than the machine has.
        let cores = quota::cores().map(|quota| quota.min(cores_available()));
        if let Some((used, cores)) = own.cpu_cores.zip(cores) {
            own.cpu_ratio = Some(used / cores);
        }
        let mut other = own.other;
        other.extend(self.punctual.read());
        let step = self.clocks.step(Instant::now(), wall_s);
        other.extend(step.map(|step| ("clock_step_s".to_owned(), step)));
        let ports = self.ports.ratio();
        other.extend(ports.map(|ratio| ("ports_ratio".to_owned(), ratio)));
        // What the machine takes away from the generator stands beside what it uses.
        Some(ResourceSample {
            at_s: wall_s,
            steal_ratio: around.steal_ratio,
            pressure: around.pressure,
            other,
            ..own
        })
    }

    /// How late the driver was since the last sample, at the end: too short a time for rates.
    pub fn rest(&mut self, wall_s: f64) -> Option<ResourceSample> {
        let other = self.punctual.read();
        (!other.is_empty()).then(|| ResourceSample {
            at_s: wall_s,
            other,
            ..ResourceSample::default()
        })
    }
}
