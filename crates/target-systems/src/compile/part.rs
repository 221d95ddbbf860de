//! Hosts, components, pools and stores of a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use fault_profile::Model;

use super::{Names, duration, path, seconds};
use crate::document as doc;
use crate::plan::{
    Amount, AtCapacity, Autoscale, Balance, Batch, Bus, Cache, Component, Compression, Crash,
    CrashAnswer, Demand, Discipline, Expression, Factor, Garbage, Host, Hub, Leak, Operation,
    Overflow, Per, Pool, Popularity, Population, Queue, Store, Usl,
};

/// Maximum number of sockets of a hub without a maximum.
const DEFAULT_CONNECTIONS: usize = 10_000;

pub(super) fn host(name: &str, host: &doc::Host) -> Host {
    Host {
        name: name.into(),
        instances: host.instances as usize,
        cpu_cores: host.cpu_cores,
        disk_iops: host.disk_iops,
        disk_mb_per_s: host.disk_mb_per_s,
        disk_mb: host.disk_mb,
        network_mbit_per_s: host.network_mbit_per_s,
        memory_mb: host.memory_mb,
        base_mb: host.base_mb,
        in_flight_mb: host.in_flight_mb,
        garbage: host.garbage.map(|garbage| Garbage {
            collect_at: garbage.collect_at,
            pause: duration(garbage.pause_ms),
        }),
        leak: host.leak.map(|leak| Leak {
            kb_per_request: leak.kb_per_request,
            kb_per_s: leak.kb_per_s,
        }),
        crash: Crash {
            restart: duration(host.crash.restart_ms),
            detect: duration(host.crash.detect_ms),
            in_flight: match host.crash.in_flight {
                doc::InFlight::Status(status) => CrashAnswer::Status(status),
                doc::InFlight::Close {} => CrashAnswer::Close,
            },
        },
        autoscale: host.autoscale.map(|autoscale| Autoscale {
            min: autoscale.min as usize,
            max: autoscale.max as usize,
            target_cpu: autoscale.target_cpu,
            every: duration(autoscale.every_ms),
            start: duration(autoscale.start_ms),
        }),
        usl_instances: host.usl.map(|usl| self::usl(usl.instances)),
        start: duration(host.start_ms),
    }
}

fn usl(usl: doc::Usl) -> Usl {
    Usl {
        sigma: usl.sigma,
        kappa: usl.kappa,
    }
}

pub(super) fn component(names: &Names<'_>, name: &str, component: &doc::Component) -> Component {
    let host = match &component.host {
        Some(doc::HostChoice::Named(host)) => names.host(host),
        _ => names.host(name),
    };
    Component {
        name: name.into(),
        kind: component.kind.name().into(),
        host,
        slots: Some(component.slots as usize),
        queue: queue(&component.queue),
        balance: match component.balance {
            doc::Balance::RoundRobin => Balance::RoundRobin,
            doc::Balance::Random => Balance::Random,
            doc::Balance::LeastInFlight => Balance::LeastInFlight,
            doc::Balance::SharedQueue => Balance::SharedQueue,
        },
        usl_concurrency: component.usl.map(|one| usl(one.concurrency)),
        operations: component
            .operations
            .iter()
            .map(|(name, operation)| self::operation(names, name, operation))
            .collect(),
        faults: component
            .faults
            .as_ref()
            .map(|profile| faults(names.document, name, profile)),
        cache: (component.kind == doc::Kind::Cache).then(|| cache(component)),
        bus: (component.kind == doc::Kind::Bus).then(|| bus(component)),
        hub: (component.kind == doc::Kind::Hub).then(|| Hub {
            max_connections: component
                .max_connections
                .map_or(DEFAULT_CONNECTIONS, |most| most as usize),
            per_connection_kb: component.per_connection_kb,
        }),
    }
}

/// Injected failures of a component, drawn under `system/component` from the document's seed.
fn faults(
    document: &doc::Document,
    component: &str,
    profile: &fault_profile::Profile,
) -> Arc<Model> {
    let mut profile = profile.clone();
    profile.seed ^= document.seed;
    let name = format!("{}/{component}", document.system);
    Arc::new(Model::new(&profile, &name).expect("a checked document has sound profiles"))
}

fn queue(queue: &doc::Queue) -> Queue {
    Queue {
        capacity: queue.capacity as usize,
        discipline: match queue.discipline {
            doc::Discipline::Fifo => Discipline::Fifo,
            doc::Discipline::Lifo => Discipline::Lifo,
        },
        patience: queue.patience_ms.map(duration),
        overflow: match queue.overflow {
            doc::Overflow::Reject { status } => Overflow::Reject(status),
            doc::Overflow::Hang {} => Overflow::Hang,
        },
    }
}

fn cache(component: &doc::Component) -> Cache {
    Cache {
        population: component.population.map(|population| Population {
            keys: population.keys,
            popularity: match population.popularity {
                doc::Popularity::Uniform => Popularity::Uniform,
                doc::Popularity::Zipf(s) => Popularity::Zipf(s),
            },
        }),
        capacity: component.capacity.unwrap_or(1) as usize,
        ttl: component.ttl_s.map(seconds),
        entry_kb: component.entry_kb,
    }
}

fn bus(component: &doc::Component) -> Bus {
    let batch = component.batch.map_or_else(Batch::default, |batch| Batch {
        max_items: batch.max_items as usize,
        wait: duration(batch.wait_ms),
        overhead: duration(batch.overhead_ms),
    });
    Bus {
        batch,
        compress: component.compress.map(|compress| Compression {
            ratio: compress.ratio,
            cpu_ms_per_kb: compress.cpu_ms_per_kb,
        }),
        connect: duration(component.connect_ms),
    }
}

fn operation(names: &Names<'_>, name: &str, operation: &doc::Operation) -> Operation {
    Operation {
        name: name.into(),
        demand: demand([
            &operation.service_ms,
            &operation.cpu_ms,
            &operation.disk_ops,
            &operation.disk_kb,
            &operation.network_kb,
            &operation.allocate_kb,
        ]),
        per: operation
            .per
            .iter()
            .map(|per| Per {
                of: expression(names, &per.of),
                demand: demand([
                    &per.service_ms,
                    &per.cpu_ms,
                    &per.disk_ops,
                    &per.disk_kb,
                    &per.network_kb,
                    &per.allocate_kb,
                ]),
            })
            .collect(),
        factor: operation.factor.as_ref().map(|factor| Factor {
            by: path(&factor.by),
            cases: factor
                .cases
                .iter()
                .map(|(case, value)| (case.clone(), *value))
                .collect::<BTreeMap<_, _>>(),
            otherwise: factor.otherwise,
        }),
    }
}

fn demand(amounts: [&Option<doc::Amount>; 6]) -> Demand {
    let [
        service_ms,
        cpu_ms,
        disk_ops,
        disk_kb,
        network_kb,
        allocate_kb,
    ] = amounts.map(|amount| amount.as_ref().map(|amount| Amount::new(amount.0.clone())));
    Demand {
        service_ms,
        cpu_ms,
        disk_ops,
        disk_kb,
        network_kb,
        allocate_kb,
    }
}

pub(super) fn expression(names: &Names<'_>, expression: &doc::Expression) -> Expression {
    match expression {
        doc::Expression::Number(number) => Expression::Number(*number),
        doc::Expression::Value(place) => Expression::Field(path(place)),
        doc::Expression::Length(place) => Expression::Len(path(place)),
        doc::Expression::Kilobytes(place) => Expression::Kb(path(place)),
        doc::Expression::Rows(store) => Expression::Rows(names.store(store)),
        doc::Expression::Log2(inner) => Expression::Log2(Box::new(self::expression(names, inner))),
    }
}

pub(super) fn pool(name: &str, pool: &doc::Pool) -> Pool {
    Pool {
        name: name.into(),
        size: pool.size as usize,
        wait: pool.wait_ms.map(duration),
    }
}

pub(super) fn store(names: &Names<'_>, name: &str, store: &doc::Store) -> Store {
    Store {
        name: name.into(),
        host: store.host.as_deref().map(|host| names.host(host)),
        capacity: store.capacity as usize,
        ttl: store.ttl_s.map(seconds),
        retain_after_end: store.retain_after_end_s.map(seconds),
        per_key: store.per_key.map(|most| most as usize),
        per_entry_kb: store.per_entry_kb,
        states: store
            .states
            .iter()
            .map(|state| Arc::from(state.as_str()))
            .collect(),
        populate: store.populate as usize,
        at_capacity: match store.at_capacity {
            doc::AtCapacity::Refuse => AtCapacity::Refuse,
            doc::AtCapacity::Evict => AtCapacity::Evict,
        },
    }
}
