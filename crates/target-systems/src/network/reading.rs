//! A snapshot of a system's state and counters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Network;
use super::machine::Machine;
use super::nanos;

/// A whole system. Counters only increase; integrals are exact, in things × nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub at: Duration,
    pub revision: u64,
    pub arrived: u64,
    pub succeeded: u64,
    /// Requests by `error_type`.
    pub failed: BTreeMap<Arc<str>, u64>,
    /// Clients that disconnected before their response.
    pub left: u64,
    pub in_flight: u64,
    /// Integral of `in_flight`.
    pub in_flight_integral: u128,
    /// Time in the system of all requests that ended, nanoseconds.
    pub residence: u128,
    /// Time in the system of the requests in flight so far, in nanoseconds.
    pub residence_in_flight: u128,
    /// Messages and jobs in the background.
    pub background_begun: u64,
    pub background_ended: u64,
    pub background_failed: BTreeMap<Arc<str>, u64>,
    pub hosts: Vec<HostReading>,
    /// The plan's components, followed by the edge.
    pub components: Vec<ComponentReading>,
    pub pools: Vec<PoolReading>,
    pub stores: Vec<StoreReading>,
}

/// A host and its instances, including removed ones.
#[derive(Debug, Clone, PartialEq)]
pub struct HostReading {
    pub name: Arc<str>,
    /// The target number of instances.
    pub instances: usize,
    pub cpu_cores: Option<f64>,
    /// Its disk takes time.
    pub has_disk: bool,
    /// Its link takes time.
    pub has_network: bool,
    pub memory_limit_kb: Option<f64>,
    /// The time from a crash until the instance receives no more work, and until it accepts work again.
    pub crash_detect: Duration,
    pub crash_restart: Duration,
    pub machines: Vec<MachineReading>,
}

/// An instance of a host; sizes in kB of 1 024 bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineReading {
    pub up: bool,
    pub restarts: u64,
    /// Core-seconds.
    pub cpu_busy_s: f64,
    /// Jobs that share the cores.
    pub cpu_jobs: usize,
    /// Total time for which garbage collections stop the CPU.
    pub paused_s: f64,
    pub collections: u64,
    pub disk_operations: f64,
    pub disk_busy_s: f64,
    pub disk_waiting: usize,
    pub network_bytes: f64,
    pub network_busy_s: f64,
    pub network_waiting: usize,
    pub in_flight: usize,
    pub memory_base_kb: f64,
    pub memory_in_flight_kb: f64,
    pub memory_stores_kb: f64,
    pub memory_caches_kb: f64,
    pub memory_sockets_kb: f64,
    pub memory_leaked_kb: f64,
    pub memory_garbage_kb: f64,
    pub memory_used_kb: f64,
}

/// A component.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentReading {
    pub name: Arc<str>,
    /// The host of the component.
    pub host: Arc<str>,
    pub begun: u64,
    pub completed: u64,
    pub failed: u64,
    pub present: u64,
    /// Integral of `present`.
    pub present_integral: u128,
    /// Time in the component of all visits that ended, nanoseconds.
    pub residence: u128,
    /// Visits that had to wait for a slot.
    pub waited: u64,
    /// Total waiting time for slots, of completed waits, in nanoseconds.
    pub wait: u128,
    pub waiting: usize,
    /// Slots in use.
    pub busy: usize,
    /// Slots of the target number of instances; `None`: unlimited.
    pub slots: Option<usize>,
    /// Visits sent to each instance.
    pub sent: Vec<u64>,
    pub cache_hits: u64,
    pub cache_misses: u64,
    pub cache_entries: usize,
    pub cache_evicted: u64,
    pub messages: u64,
    pub batches: u64,
    pub lost_messages: u64,
    pub connections: usize,
}

/// A pool.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolReading {
    pub name: Arc<str>,
    pub size: usize,
    pub in_use: usize,
    /// Integral of `in_use`.
    pub in_use_integral: u128,
    pub waiting: usize,
    pub taken: u64,
    /// Waits for a connection that timed out.
    pub timeouts: u64,
    /// Total of completed waits, in nanoseconds.
    pub wait: u128,
}

/// A store.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreReading {
    pub name: Arc<str>,
    pub rows: usize,
    /// Of these, rows without an entry.
    pub populated: usize,
    pub entries: usize,
    pub capacity: usize,
    pub evicted: u64,
    pub expired: u64,
    pub refused: u64,
    /// Entries lost by crashes.
    pub lost: u64,
}

impl Network {
    /// The state after all events that precede an input at `now`; call [`Self::advance`] first.
    pub fn read(&self, now: Duration) -> Reading {
        let now = nanos(now).max(self.now);
        let ledger = &self.ledger;
        let in_flight = self.requests.ids().filter_map(|id| self.requests.get(id));
        let residence_in_flight = in_flight
            .filter(|request| !request.answered)
            .map(|request| u128::from(now - request.arrived))
            .sum();
        Reading {
            at: Duration::from_nanos(now),
            revision: self.revision,
            arrived: ledger.arrived,
            succeeded: ledger.succeeded,
            failed: ledger.failed.by_name(),
            left: ledger.left,
            in_flight: ledger.level.count(),
            in_flight_integral: ledger.level.integral(now),
            residence: ledger.residence,
            residence_in_flight,
            background_begun: ledger.background_begun,
            background_ended: ledger.background_ended,
            background_failed: ledger.background_failed.by_name(),
            hosts: (0..self.domains.len())
                .map(|host| self.read_host(host, now))
                .collect(),
            components: (0..self.units.len())
                .map(|component| self.read_component(component, now))
                .collect(),
            pools: (0..self.pools.len())
                .map(|pool| self.read_pool(pool, now))
                .collect(),
            stores: (0..self.stores.len())
                .map(|store| self.read_store(store))
                .collect(),
        }
    }

    fn read_host(&self, host: usize, now: u64) -> HostReading {
        let (rules, domain) = (&self.loaded.plan.hosts[host], &self.domains[host]);
        HostReading {
            name: rules.name.clone(),
            instances: domain.wanted,
            cpu_cores: rules.cpu_cores,
            has_disk: rules.disk_iops.or(rules.disk_mb_per_s).is_some(),
            has_network: rules.network_mbit_per_s.is_some(),
            memory_limit_kb: rules.memory_mb.map(|mb| mb * 1024.0),
            crash_detect: rules.crash.detect,
            crash_restart: rules.crash.restart,
            machines: domain
                .machines
                .iter()
                .map(|one| read_machine(one, now))
                .collect(),
        }
    }

    fn read_component(&self, component: usize, now: u64) -> ComponentReading {
        let unit = &self.units[component];
        let tally = &unit.tally;
        let rules = self.loaded.component(component);
        let instances = self.domains[rules.host].wanted;
        ComponentReading {
            name: rules.name.clone(),
            host: self.loaded.plan.hosts[rules.host].name.clone(),
            begun: tally.begun,
            completed: tally.completed,
            failed: tally.failed,
            present: tally.level.count(),
            present_integral: tally.level.integral(now),
            residence: tally.residence,
            waited: tally.waited,
            wait: tally.wait,
            waiting: unit.waiting(),
            busy: unit.posts.iter().map(|post| post.busy).sum(),
            slots: rules.slots.map(|slots| slots.saturating_mul(instances)),
            sent: unit.posts.iter().map(|post| post.sent).collect(),
            cache_hits: unit.posts.iter().map(|post| post.cache.hits).sum(),
            cache_misses: unit.posts.iter().map(|post| post.cache.misses).sum(),
            cache_entries: unit.posts.iter().map(|post| post.cache.len()).sum(),
            cache_evicted: unit.posts.iter().map(|post| post.cache.evicted).sum(),
            messages: tally.messages,
            batches: tally.batches,
            lost_messages: tally.lost_messages,
            connections: unit.posts.iter().map(|post| post.connections).sum(),
        }
    }

    fn read_pool(&self, place: usize, now: u64) -> PoolReading {
        let (rules, pool) = (&self.loaded.plan.pools[place], &self.pools[place]);
        PoolReading {
            name: rules.name.clone(),
            size: rules.size,
            in_use: pool.in_use,
            in_use_integral: pool.level.integral(now),
            waiting: pool.line.waiting(),
            taken: pool.taken,
            timeouts: pool.timeouts,
            wait: pool.wait,
        }
    }

    fn read_store(&self, place: usize) -> StoreReading {
        let (rules, store) = (&self.loaded.plan.stores[place], &self.stores[place]);
        StoreReading {
            name: rules.name.clone(),
            rows: store.rows(),
            populated: store.populated(),
            entries: store.entries(),
            capacity: rules.capacity,
            evicted: store.evicted,
            expired: store.expired,
            refused: store.refused,
            lost: store.lost,
        }
    }
}

fn read_machine(machine: &Machine, now: u64) -> MachineReading {
    let seconds = |time: u64| time as f64 * 1e-9;
    let memory = &machine.memory;
    MachineReading {
        up: machine.is_up(),
        restarts: machine.restarts,
        cpu_busy_s: machine.cpu.work_s(now),
        cpu_jobs: machine.cpu.len(),
        paused_s: seconds(machine.paused),
        collections: memory.collections,
        disk_operations: machine.disk.operations(),
        disk_busy_s: seconds(machine.disk.busy_ns(now)),
        disk_waiting: machine.disk.len(),
        network_bytes: machine.link.bytes(),
        network_busy_s: seconds(machine.link.busy_ns(now)),
        network_waiting: machine.link.len(),
        in_flight: memory.in_flight,
        memory_base_kb: memory.bounds.base,
        memory_in_flight_kb: memory.in_flight_kb(),
        memory_stores_kb: memory.stores,
        memory_caches_kb: memory.caches,
        memory_sockets_kb: memory.sockets,
        memory_leaked_kb: memory.leaked(now),
        memory_garbage_kb: memory.garbage(),
        memory_used_kb: memory.used(now),
    }
}
