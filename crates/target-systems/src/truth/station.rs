//! Resources that can be exhausted: of hosts, slots of components, pools.

use std::collections::BTreeSet;

use super::demand::{Demands, Holder, HolderDemand};
use super::open::Speed;
use crate::plan::{Balance, Component, Plan};

/// Number of slots from which on a component is not reported as exhaustible.
const PLENTY: f64 = 50_000.0;

/// The kind of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Cpu,
    Disk,
    Network,
    Slots,
    Pool,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Disk => "disk",
            Self::Network => "network",
            Self::Slots => "slots",
            Self::Pool => "pool",
        }
    }

    /// The class of the bottleneck, in the terms of the load tests.
    pub fn class(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Disk => "I/O",
            Self::Network => "network",
            Self::Slots | Self::Pool => "application",
        }
    }
}

/// A resource that is used and can be exhausted.
#[derive(Debug, Clone)]
pub(super) struct Station {
    /// Name of the host, component or pool.
    pub name: String,
    pub kind: Kind,
    /// Time of a server per request.
    pub demand_ms: f64,
    /// The part of it inside a holder that is exhausted before.
    pub inside_ms: f64,
    pub speed: Speed,
    /// E[X²]/E[X]² − 1 of a visit's time.
    pub scv: f64,
    pub visits: f64,
    /// The capacity of the queue, including requests in service.
    pub room: Option<f64>,
    /// Whether it has product form, or is a queue with a closed form of its own, for Poisson arrivals.
    pub is_exact: bool,
    /// Whether the demand is independent of the load: no other resource is waited for meanwhile.
    pub is_constant: bool,
    /// Whether it is one of the holders that are modelled as stations.
    pub is_binding: bool,
}

impl Station {
    /// Maximum number of requests per second.
    pub fn capacity_per_s(&self) -> f64 {
        self.speed.greatest() / self.demand_ms * 1_000.0
    }

    /// Time that is spent here and not inside another holder.
    pub fn own_ms(&self) -> f64 {
        (self.demand_ms - self.inside_ms).max(0.0)
    }

    /// The time of a request without load.
    pub fn alone_ms(&self) -> f64 {
        self.own_ms() / self.speed.at(1.0)
    }

    pub fn is_resource(&self) -> bool {
        matches!(self.kind, Kind::Cpu | Kind::Disk | Kind::Network)
    }
}

/// All limited resources that a request uses.
pub(super) fn all(plan: &Plan, demands: &Demands, binding: &BTreeSet<Holder>) -> Vec<Station> {
    let mut stations = resources(plan, demands);
    for (place, (component, demand)) in plan.components.iter().zip(&demands.components).enumerate()
    {
        let Some(slots) = component.slots else {
            continue;
        };
        if demand.hold_ms <= 0.0 || (slots as f64 >= PLENTY && component.usl_concurrency.is_none())
        {
            continue;
        }
        let is_binding =
            binding.contains(&Holder::Slots(place)) || component.usl_concurrency.is_some();
        stations.push(slots_of(plan, component, demand, is_binding));
    }
    for (place, (pool, demand)) in plan.pools.iter().zip(&demands.pools).enumerate() {
        if demand.hold_ms > 0.0 {
            stations.push(Station {
                name: pool.name.to_string(),
                kind: Kind::Pool,
                demand_ms: demand.hold_ms,
                inside_ms: demand.inside_ms,
                speed: Speed::Servers(pool.size as f64),
                scv: scv(demand.second, demand.visits, demand.hold_ms),
                visits: demand.visits,
                room: None,
                is_exact: false,
                is_constant: false,
                is_binding: binding.contains(&Holder::Pool(place)),
            });
        }
    }
    stations
}

fn resources(plan: &Plan, demands: &Demands) -> Vec<Station> {
    let mut stations = Vec::new();
    for (host, demand) in plan.hosts.iter().zip(&demands.hosts) {
        let instances = host.instances as f64;
        let alone = host.instances == 1;
        let garbage = host.garbage.is_some_and(|garbage| !garbage.pause.is_zero());
        let base = Station {
            name: host.name.to_string(),
            kind: Kind::Cpu,
            demand_ms: demand.cpu_ms,
            inside_ms: demand.inside_cpu_ms,
            speed: Speed::Servers(1.0),
            scv: 1.0,
            visits: demand.visits,
            room: None,
            is_exact: alone && !garbage,
            is_constant: host.autoscale.is_none(),
            is_binding: false,
        };
        if let Some(cores) = host.cpu_cores
            && demand.cpu_ms > 0.0
        {
            stations.push(Station {
                speed: Speed::Servers(cores * instances),
                ..base.clone()
            });
        }
        if demand.disk_ms > 0.0 {
            let scv = scv(demand.disk_second, demand.disk_visits, demand.disk_ms);
            stations.push(Station {
                kind: Kind::Disk,
                demand_ms: demand.disk_ms,
                inside_ms: demand.inside_disk_ms,
                speed: Speed::Servers(instances),
                scv,
                visits: demand.disk_visits,
                is_exact: alone,
                ..base.clone()
            });
        }
        if demand.network_ms > 0.0 {
            let scv = scv(
                demand.network_second,
                demand.network_visits,
                demand.network_ms,
            );
            stations.push(Station {
                kind: Kind::Network,
                demand_ms: demand.network_ms,
                inside_ms: demand.inside_network_ms,
                speed: Speed::Servers(instances),
                scv,
                visits: demand.network_visits,
                is_exact: alone,
                ..base
            });
        }
    }
    stations
}

fn slots_of(
    plan: &Plan,
    component: &Component,
    demand: &HolderDemand,
    is_binding: bool,
) -> Station {
    let instances = plan.hosts[component.host].instances as f64;
    let slots = component.slots.map_or(f64::INFINITY, |slots| slots as f64) * instances;
    let speed = component
        .usl_concurrency
        .map_or(Speed::Servers(slots), |usl| Speed::Usl {
            sigma: usl.sigma,
            kappa: usl.kappa,
            most: slots,
        });
    let scv = scv(demand.second, demand.visits, demand.hold_ms);
    let room = slots + component.queue.capacity as f64 * instances;
    let shared = component.balance == Balance::SharedQueue || instances == 1.0;
    let simple = !demand.nested && component.bus.is_none() && component.faults.is_none();
    Station {
        name: component.name.to_string(),
        kind: Kind::Slots,
        demand_ms: demand.hold_ms,
        inside_ms: demand.inside_ms,
        speed,
        scv,
        visits: demand.visits,
        room: Some(room),
        // M/M/c, M/G/1 and Erlang's loss system have closed forms.
        is_exact: simple
            && shared
            && (component.usl_concurrency.is_some()
                || (scv - 1.0).abs() < 1e-9
                || slots == 1.0
                || component.queue.capacity == 0),
        is_constant: simple,
        is_binding,
    }
}

fn scv(second: f64, visits: f64, total_ms: f64) -> f64 {
    if visits <= 0.0 || total_ms <= 0.0 {
        return 0.0;
    }
    let (mean, second) = (total_ms / visits, second / visits);
    (second / (mean * mean) - 1.0).max(0.0)
}

/// Holders that are exhausted before the resources: waits inside them are short.
pub(super) fn binding(plan: &Plan, demands: &Demands) -> BTreeSet<Holder> {
    let none = BTreeSet::new();
    let stations = all(plan, demands, &none);
    let of_resources = stations
        .iter()
        .filter(|station| station.is_resource())
        .map(Station::capacity_per_s)
        .fold(f64::INFINITY, f64::min);
    let runs_out = |station: &Station| station.capacity_per_s() < of_resources;
    let mut found = BTreeSet::new();
    for station in stations.iter().filter(|station| runs_out(station)) {
        match station.kind {
            Kind::Slots => {
                let place = plan
                    .components
                    .iter()
                    .position(|one| *one.name == *station.name);
                found.extend(place.map(Holder::Slots));
            }
            Kind::Pool => {
                let place = plan.pools.iter().position(|one| *one.name == *station.name);
                found.extend(place.map(Holder::Pool));
            }
            _ => {}
        }
    }
    found
}
