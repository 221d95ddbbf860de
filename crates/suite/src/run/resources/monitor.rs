//! Sampling during a test.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use report::record::ResourceSample;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::cgroup::Cgroup;
use super::declared::Declared;
use super::generator::Generator;
use super::host::Host;
use super::process::Process;
use super::simulated::Simulated;
use super::simulator::Simulators;
use crate::run::admin::Admin;
use crate::run::measure::unix_now;

const EVERY: Duration = Duration::from_secs(1);
/// The polling interval for the end of the test.
const LOOK: Duration = Duration::from_millis(50);
/// After this number of failed samples a target's source is no longer read.
const GIVE_UP_AFTER: u32 = 10;

/// The source of the target's figures.
#[derive(Debug, Clone)]
pub enum Source {
    /// The admin API of a simulated system.
    Simulated(Admin),
    /// A process on this machine.
    Process(u32),
    /// A control group of this machine, by folder or name.
    Cgroup(PathBuf),
    /// This machine.
    Host,
    /// Another machine, whose resources are unknown.
    Elsewhere,
}

impl Source {
    /// The name in records.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Simulated(_) => "simulated",
            Self::Process(_) => "pid",
            Self::Cgroup(_) => "cgroup",
            Self::Host => "host",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// The samples; times are seconds since 1970 until they are converted to the start of the test.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Watched {
    pub target: Vec<ResourceSample>,
    pub generator: Vec<ResourceSample>,
    /// The processes of a simulated target.
    pub simulator: Vec<ResourceSample>,
    /// The reason why the target's figures ended before the test.
    pub lost: Option<String>,
}

/// Takes samples once a second until it is stopped.
#[derive(Debug)]
pub struct Monitor {
    source: Source,
    watched: Mutex<Watched>,
}

impl Monitor {
    pub fn new(source: Source) -> Self {
        Self {
            source,
            watched: Mutex::default(),
        }
    }

    /// Takes samples until `stop`; blocks.
    pub fn run(
        &self,
        mut generator: Generator,
        mut simulators: Simulators,
        stop: &CancellationToken,
    ) {
        let mut target = Reader::new(&self.source);
        let mut next = Instant::now();
        while !stop.is_cancelled() {
            if Instant::now() < next {
                std::thread::sleep(LOOK);
                continue;
            }
            let at_s = unix_now();
            let placed = |sample| ResourceSample { at_s, ..sample };
            let found = target.samples();
            let own = generator.sample(at_s);
            let simulated = simulators.samples();
            {
                let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
                watched.generator.extend(own);
                watched.simulator.extend(simulated.into_iter().map(placed));
                match found {
                    Ok(samples) => watched.target.extend(samples.into_iter().map(placed)),
                    Err(why) => watched.lost = Some(why),
                }
            }
            // A late sample does not reduce the interval to the next ones.
            next = (next + EVERY).max(Instant::now() + EVERY / 2);
        }
        let rest = generator.rest(unix_now());
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.generator.extend(rest);
    }

    /// The samples so far.
    pub fn watched(&self) -> Watched {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.clone()
    }

    /// The target's samples from the given index on.
    pub fn target_from(&self, place: usize) -> Vec<ResourceSample> {
        self.watched_from(place, usize::MAX).target
    }

    /// The target's and the generator's samples from the given indices on.
    pub fn watched_from(&self, target: usize, generator: usize) -> Watched {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        Watched {
            target: watched.target.get(target..).unwrap_or_default().to_vec(),
            generator: watched
                .generator
                .get(generator..)
                .unwrap_or_default()
                .to_vec(),
            ..Watched::default()
        }
    }

    /// The source of the target's samples, by its name in records.
    pub const fn source_name(&self) -> &'static str {
        self.source.name()
    }
}

struct Reader<'a> {
    source: &'a Source,
    host: Host,
    process: Option<Process>,
    cgroup: Option<Cgroup>,
    simulated: Simulated,
    declared: Declared,
    failures: u32,
}

impl<'a> Reader<'a> {
    fn new(source: &'a Source) -> Self {
        let process = match source {
            Source::Process(pid) => Some(Process::of(*pid)),
            _ => None,
        };
        let cgroup = match source {
            Source::Cgroup(name) => Some(Cgroup::of(name)),
            _ => None,
        };
        Self {
            source,
            host: Host::default(),
            process,
            cgroup,
            simulated: Simulated::default(),
            declared: Declared::default(),
            failures: 0,
        }
    }

    fn samples(&mut self) -> Result<Vec<ResourceSample>, String> {
        if self.failures >= GIVE_UP_AFTER {
            return Ok(Vec::new());
        }
        let found = match self.source {
            Source::Simulated(admin) => admin
                .resources()
                .map(|now| {
                    let metrics = self.declared.is_due().then(|| admin.metrics().ok());
                    let counted = metrics
                        .flatten()
                        .and_then(|text| self.declared.sample(now["at_s"].as_f64()?, &text));
                    let mut samples = self.simulated.samples(now);
                    samples.extend(counted);
                    samples
                })
                .map_err(|error| error.to_string()),
            Source::Process(pid) => {
                let around = self.host.sample().unwrap_or_default();
                let sample = self.process.as_mut().and_then(Process::sample);
                // Steal time and pressure of the machine are added to the use of the process.
                let sample = sample.map(|sample| {
                    vec![ResourceSample {
                        steal_ratio: around.steal_ratio,
                        pressure: around.pressure,
                        ..sample
                    }]
                });
                sample.ok_or_else(|| format!("process {pid} no longer exists"))
            }
            Source::Cgroup(name) => {
                let steal_ratio = self.host.sample().and_then(|host| host.steal_ratio);
                let sample = self.cgroup.as_mut().and_then(Cgroup::sample);
                let sample = sample.map(|sample| {
                    vec![ResourceSample {
                        steal_ratio,
                        ..sample
                    }]
                });
                sample.ok_or_else(|| format!("control group {} no longer exists", name.display()))
            }
            Source::Host => Ok(self.host.sample().into_iter().collect()),
            Source::Elsewhere => Ok(Vec::new()),
        };
        self.failures = if found.is_err() { self.failures + 1 } else { 0 };
        found
    }
}
