//! The generator: its process, the processor time that the machine takes from it, and its punctuality.

use std::time::Instant;

use report::record::ResourceSample;

use super::clock::Clocks;
use super::host::Host;
use super::ports::Ports;
use super::process::{Process, cores_available};
use super::punctual::{Current, Punctual};
use super::quota;

/// Reads the generator repeatedly.
#[derive(Debug)]
pub struct Generator {
    own: Process,
    machine: Host,
    clocks: Clocks,
    ports: Ports,
    punctual: Punctual,
}

impl Generator {
    /// This process, with the driver that `current` shows and the service at a URL.
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
        // A control group may allow fewer cores than the machine has.
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
        // Steal time and pressure of the machine are added to the generator's own use.
        Some(ResourceSample {
            at_s: wall_s,
            steal_ratio: around.steal_ratio,
            pressure: around.pressure,
            other,
            ..own
        })
    }

    /// The driver's lateness since the last sample, at the end: the period is too short for rates.
    pub fn rest(&mut self, wall_s: f64) -> Option<ResourceSample> {
        let other = self.punctual.read();
        (!other.is_empty()).then(|| ResourceSample {
            at_s: wall_s,
            other,
            ..ResourceSample::default()
        })
    }
}
