//! The instances of a host at run time.

use std::time::Duration;

use super::event::Nanos;
use super::fifo::{Fifo, Pace};
use super::memory::{Bounds, Memory};
use super::nanos;
use super::sharing::{Law, Sharing};
use crate::plan::Host;

/// Whether a machine accepts work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Up,
    /// Accepts work from the `Up` event on.
    Starting {
        up_at: Nanos,
    },
    /// Crashed; until `detected_at` it still receives its share.
    Down {
        detected_at: Nanos,
        up_at: Nanos,
    },
    /// Removed; finishes its current work.
    Off,
}

/// A machine whose base alone exceeds its memory crashes whenever it is up; this minimum lets time pass.
const SHORTEST_RESTART: Duration = Duration::from_millis(1);

/// One instance of a host.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) state: State,
    /// Counts crashes and removals: work that began in an earlier life no longer exists.
    pub(super) life: u32,
    pub(super) cpu: Sharing,
    /// The end of the current garbage collection.
    pub(super) paused_until: Nanos,
    pub(super) paused: Nanos,
    pub(super) disk: Fifo,
    pub(super) link: Fifo,
    pub(super) memory: Memory,
    pub(super) restarts: u64,
}

/// A host.
#[derive(Debug, Clone)]
pub(super) struct Domain {
    /// Never shrinks: removed machines are `Off`.
    pub(super) machines: Vec<Machine>,
    /// The target number of instances.
    pub(super) wanted: usize,
    /// Factor on CPU and service time by the law of `usl_instances`.
    pub(super) slowdown: f64,
    /// Core-seconds of work and the time of the last scaling decision.
    pub(super) last_scaled: (f64, Nanos),
    /// Whether an autoscale event is scheduled.
    pub(super) scaling: bool,
}

impl Machine {
    pub(super) fn new(host: &Host, ageing: f64, state: State, now: Nanos) -> Self {
        let mut machine = Self {
            state,
            life: 0,
            cpu: Sharing::new(law(host)),
            paused_until: 0,
            paused: 0,
            disk: Fifo::new(disk_pace(host)),
            link: Fifo::new(link_pace(host)),
            memory: Memory::default(),
            restarts: 0,
        };
        machine.memory.reset(now);
        machine.memory.set_bounds(now, bounds(host, ageing));
        machine
    }

    /// Applies the host's limits from now on.
    pub(super) fn obey(&mut self, host: &Host, ageing: f64, now: Nanos) {
        self.cpu.set_law(now, law(host));
        self.disk.set_pace(now, disk_pace(host));
        self.link.set_pace(now, link_pace(host));
        self.memory.set_bounds(now, bounds(host, ageing));
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Whether the machine receives work.
    pub(super) fn in_rotation(&self, now: Nanos) -> bool {
        match self.state {
            State::Up => true,
            State::Down { detected_at, .. } => now < detected_at,
            State::Starting { .. } | State::Off => false,
        }
    }

    /// When the machine will accept work, if that is known.
    pub(super) fn up_at(&self) -> Option<Nanos> {
        match self.state {
            State::Starting { up_at } | State::Down { up_at, .. } => Some(up_at),
            State::Up | State::Off => None,
        }
    }

    pub(super) fn crash(&mut self, host: &Host, now: Nanos) {
        let after = |wait: Duration| now.saturating_add(nanos(wait));
        self.state = State::Down {
            detected_at: after(host.crash.detect),
            up_at: after(host.crash.restart.max(SHORTEST_RESTART)),
        };
        self.life += 1;
        self.restarts += 1;
        self.paused_until = self.paused_until.min(now);
        self.cpu.clear(now);
        self.cpu.set_paused(now, false);
        self.disk.clear(now);
        self.link.clear(now);
        self.memory.reset(now);
    }
}

impl Domain {
    pub(super) fn new(host: &Host, ageing: f64, now: Nanos) -> Self {
        let machine = || Machine::new(host, ageing, State::Up, now);
        let mut domain = Self {
            machines: (0..host.instances).map(|_| machine()).collect(),
            wanted: host.instances,
            slowdown: 1.0,
            last_scaled: (0.0, now),
            scaling: false,
        };
        domain.set_slowdown(host);
        domain
    }

    /// Updates the slowdown for the number of instances that are up.
    pub(super) fn set_slowdown(&mut self, host: &Host) {
        let up = self.up();
        self.slowdown = host.usl_instances.map_or(1.0, |usl| usl.slowdown(up));
    }

    pub(super) fn up(&self) -> usize {
        self.machines.iter().filter(|one| one.is_up()).count()
    }

    pub(super) fn work_s(&self, now: Nanos) -> f64 {
        self.machines.iter().map(|one| one.cpu.work_s(now)).sum()
    }
}

fn law(host: &Host) -> Law {
    host.cpu_cores.map_or(Law::Unlimited, Law::Cores)
}

fn disk_pace(host: &Host) -> Pace {
    Pace {
        operation_s: host.disk_iops.map_or(0.0, |iops| 1.0 / iops),
        byte_s: host.disk_mb_per_s.map_or(0.0, |mb| 1e-6 / mb),
    }
}

fn link_pace(host: &Host) -> Pace {
    Pace {
        operation_s: 0.0,
        byte_s: host.network_mbit_per_s.map_or(0.0, |mbit| 8e-6 / mbit),
    }
}

fn bounds(host: &Host, ageing: f64) -> Bounds {
    let limit = host.memory_mb.map(|mb| mb * 1024.0);
    let collect_at = host.garbage.map(|garbage| garbage.collect_at);
    Bounds {
        limit,
        collect_at: limit.zip(collect_at).map(|(limit, share)| limit * share),
        base: host.base_mb * 1024.0,
        per_in_flight: host.in_flight_mb * 1024.0,
        leak_per_request: host.leak.map_or(0.0, |leak| leak.kb_per_request * ageing),
        leak_per_s: host.leak.map_or(0.0, |leak| leak.kb_per_s * ageing),
    }
}
