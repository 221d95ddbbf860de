//! The result: figures of a system, at any load and at the requested one.

use std::collections::BTreeSet;

use serde::Serialize;

use super::demand::{Demands, Hits, Holder};
use super::failure::{self, Failing, Failures};
use super::memory::{self, Memory};
use super::station::{self, Station};
use super::{Asking, Figure, HIT_ROUNDS, Load, Sample, cache, demands, percentiles};
use crate::system::System;

/// The results that a correct analysis finds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    pub system: String,
    /// Always true: all figures are those of a simulation.
    pub simulated: bool,
    pub classes: Vec<Class>,
    /// Demands and amounts of resources; the first one is exhausted first.
    pub resources: Vec<Resource>,
    pub bottleneck: Option<Bottleneck>,
    /// Maximum number of requests per second.
    pub capacity_per_s: Option<Figure>,
    pub caches: Vec<CacheTruth>,
    pub memory: Vec<Memory>,
    /// Failures that the file states and that are not in the figures, because they have no closed form: a
    /// sentence for each.
    pub not_counted: Vec<String>,
    /// Figures at the requested load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadTruth>,
}

/// One of the requested mixes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Class {
    pub mix: String,
    /// Share of requests that no step fails, no fault affects and no full store rejects.
    pub success_share: Figure,
    /// The failures of the other requests.
    pub failures: Vec<Failing>,
    /// Response times without queueing.
    pub response: Response,
    /// Capacity times think and response time: from here on queueing grows with each user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knee_users: Option<Figure>,
}

/// Response times in ms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Response {
    pub mean_ms: Figure,
    pub p50_ms: Figure,
    pub p95_ms: Figure,
    pub p99_ms: Figure,
}

/// A resource that requests use.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resource {
    /// Name of the host, component or pool.
    pub of: String,
    /// `cpu`, `disk`, `network`, `slots` or `pool`.
    pub resource: &'static str,
    /// Time of a core, disk, link, slot or connection per request, in ms.
    pub demand_ms: Figure,
    /// Number of cores, disks, links, slots or connections, in all instances.
    pub servers: f64,
    pub capacity_per_s: Figure,
    /// Busy share of the servers at the requested load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<Figure>,
}

/// The resource that is exhausted first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bottleneck {
    pub of: String,
    pub resource: &'static str,
    /// `CPU`, `memory`, `I/O`, `network` or `application`.
    pub class: &'static str,
}

/// A cache in its steady state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CacheTruth {
    pub component: String,
    pub hit_ratio: Figure,
}

/// Figures at the requested load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadTruth {
    /// Successful responses per second.
    pub throughput_per_s: Figure,
    /// Mean; absent if there is no steady state.
    pub response_ms: Option<Figure>,
    /// Mean number of requests in flight.
    pub in_flight: Option<Figure>,
    /// Share of requests that are rejected because something is full.
    pub refused_share: Figure,
    /// Share of requests that succeed: neither rejected, nor failed as the file states, nor lost to
    /// crashes.
    pub success_share: Figure,
    /// The failures of the other requests.
    pub failures: Vec<Failing>,
    /// By mix: throughput and response time of each class.
    pub classes: Vec<ClassLoad>,
}

/// The load that is served, including failing requests.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Served {
    pub throughput_per_s: Figure,
    pub response_ms: Option<Figure>,
    pub in_flight: Option<Figure>,
    pub refused_share: Figure,
    pub classes: Vec<ClassLoad>,
}

/// Figures of one of several classes of users.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassLoad {
    pub mix: String,
    pub throughput_per_s: Figure,
    pub response_ms: Option<Figure>,
}

/// One class with its demands.
pub(super) struct Part {
    pub demands: Demands,
    pub stations: Vec<Station>,
    pub think_ms: f64,
}

pub(super) fn of(system: &System, asking: &[Asking], classes: &[Vec<Sample>]) -> Truth {
    let mut hits = first_hits(system);
    let mut state = State::new(system, asking, classes, &hits);
    for _ in 0..HIT_ROUNDS {
        let rate = state.load.as_ref().map_or_else(
            || state.capacity().unwrap_or(1.0),
            |load| load.throughput_per_s.value,
        );
        let next = self::hits(system, &state.total, rate);
        if change(&hits, &next) < 1e-9 {
            break;
        }
        hits = next;
        state = State::new(system, asking, classes, &hits);
    }
    state.truth(&hits)
}

fn change(one: &Hits, other: &Hits) -> f64 {
    let pairs = one.population.iter().zip(&other.population);
    let singles = one.single.iter().zip(&other.single);
    let stores = one.full.iter().zip(&other.full);
    pairs
        .chain(singles)
        .chain(stores)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}

fn first_hits(system: &System) -> Hits {
    let count = system.plan.components.len();
    Hits {
        population: vec![1.0; count],
        single: vec![1.0; count],
        full: vec![0.0; system.plan.stores.len()],
    }
}

/// Hit ratios at a throughput.
fn hits(system: &System, total: &Demands, throughput_per_s: f64) -> Hits {
    let plan = &system.plan;
    let mut hits = first_hits(system);
    for (place, component) in plan.components.iter().enumerate() {
        let Some(cache) = &component.cache else {
            continue;
        };
        let instances = plan.hosts[component.host].instances as f64;
        let rate = throughput_per_s * total.lookups[place] / instances;
        let ttl_s = cache.ttl.map(|ttl| ttl.as_secs_f64() / plan.ageing);
        if let Some(population) = cache.population {
            let ratio = cache::of_population(population, cache, rate, ttl_s);
            hits.population[place] = ratio.value;
        }
        hits.single[place] = cache::of_one_key(rate, ttl_s).value;
    }
    for place in 0..plan.stores.len() {
        hits.full[place] = failure::full(plan, place, total, throughput_per_s);
    }
    hits
}

/// Demands, stations and the solution for the load, for given hit ratios.
pub(super) struct State<'a> {
    pub system: &'a System,
    pub asking: &'a [Asking],
    pub samples: &'a [Vec<Sample>],
    pub hits: Hits,
    /// Holders that are modelled as stations.
    pub binding: BTreeSet<Holder>,
    pub parts: Vec<Part>,
    /// Demands of a request of any class, weighted by the shares of the throughput.
    total: Demands,
    pub stations: Vec<Station>,
    load: Option<Served>,
    /// The demands of a successful request, if they differ from those of the mix.
    spent: Option<Vec<Station>>,
}

impl<'a> State<'a> {
    fn new(
        system: &'a System,
        asking: &'a [Asking],
        samples: &'a [Vec<Sample>],
        hits: &Hits,
    ) -> Self {
        let none = BTreeSet::new();
        let first: Vec<Demands> = samples
            .iter()
            .map(|samples| demands(system, samples, hits, &none))
            .collect();
        let weights = weights(asking, &first);
        let rough = sum(&first, &weights);
        let binding = station::binding(&system.plan, &rough);
        let parts: Vec<Part> = asking
            .iter()
            .zip(samples)
            .map(|(asking, samples)| {
                let demands = demands(system, samples, hits, &binding);
                Part {
                    stations: station::all(&system.plan, &demands, &binding),
                    think_ms: think_ms(asking.load).unwrap_or(0.0),
                    demands,
                }
            })
            .collect();
        let each: Vec<Demands> = parts.iter().map(|part| part.demands.clone()).collect();
        let total = sum(&each, &weights);
        let mut stations = station::all(&system.plan, &total, &binding);
        stations.sort_by(|a, b| a.capacity_per_s().total_cmp(&b.capacity_per_s()));
        let mut state = Self {
            system,
            asking,
            samples,
            hits: hits.clone(),
            binding,
            parts,
            total,
            stations,
            load: None,
            spent: None,
        };
        (state.load, state.spent) = match asking[0].load {
            Load::Unknown { .. } => (None, None),
            Load::Users { .. } => {
                let (load, spent) = state.users();
                (Some(load), spent)
            }
            Load::Rate { per_s } => (Some(state.open(per_s)), None),
        };
        state
    }

    pub fn capacity(&self) -> Option<f64> {
        self.stations.first().map(Station::capacity_per_s)
    }

    fn truth(&self, hits: &Hits) -> Truth {
        let capacity = self.stations.first().map(|station| Figure {
            value: station.capacity_per_s(),
            exact: station.is_constant && self.total.exact_demands(),
        });
        let throughput = self.load.as_ref().map(|load| load.throughput_per_s.value);
        let in_flight = self.in_flight(throughput.unwrap_or(0.0));
        let plan = &self.system.plan;
        let memory = memory::of_hosts(plan, &self.total.hosts, throughput, &in_flight);
        let not_counted = failure::not_counted(plan, &memory, &self.total, throughput);
        let load = self.load.as_ref().map(|served| {
            let begun =
                served.throughput_per_s.value / (1.0 - served.refused_share.value).max(1e-9);
            let coming = failure::Coming {
                per_s: begun,
                in_flight: &in_flight,
            };
            let crashes = failure::crashes(plan, &memory, &self.total, &coming);
            self.at_load(served, &crashes, not_counted.is_empty())
        });
        Truth {
            system: self.system.document.system.clone(),
            simulated: true,
            classes: self.classes(hits, capacity),
            resources: self.stations.iter().map(|one| self.resource(one)).collect(),
            bottleneck: self.bottleneck(&memory),
            capacity_per_s: capacity,
            caches: self.caches(),
            memory,
            not_counted,
            load,
        }
    }

    /// The served load without failures. A crash affects any request; of the others some may be rejected,
    /// and the rest may fail as the file states.
    fn at_load(&self, served: &Served, crashes: &Failures, all_counted: bool) -> LoadTruth {
        let up = 1.0 - crashes.total();
        let refused = served.refused_share;
        let exact = self.total.exact_failures() && crashes.total() == 0.0;
        let mut failures = Failures::default();
        failures.add("queue_full", 503, up * refused.value);
        failures.add_all(&self.total.failures, up * (1.0 - refused.value));
        failures.add_all(crashes, 1.0);
        let succeeding = |throughput: Figure, demands: &Demands| Figure {
            value: throughput.value * up * (1.0 - demands.failures.total()),
            exact: throughput.exact && exact,
        };
        let classes = served.classes.iter().zip(&self.parts);
        LoadTruth {
            throughput_per_s: succeeding(served.throughput_per_s, &self.total),
            response_ms: served.response_ms,
            in_flight: served.in_flight,
            refused_share: refused,
            success_share: Figure {
                value: 1.0 - failures.total(),
                exact: exact && refused.exact && all_counted,
            },
            failures: failures.told(exact && refused.exact),
            classes: classes
                .map(|(class, part)| ClassLoad {
                    throughput_per_s: succeeding(class.throughput_per_s, &part.demands),
                    ..class.clone()
                })
                .collect(),
        }
    }

    /// Memory if it is short, because nothing waits for it; otherwise the station with the smallest
    /// capacity.
    fn bottleneck(&self, memory: &[Memory]) -> Option<Bottleneck> {
        let short = memory.iter().find(|memory| memory.is_short());
        let of_memory = short.map(|memory| Bottleneck {
            of: memory.host.clone(),
            resource: "memory",
            class: "memory",
        });
        of_memory.or_else(|| {
            self.stations.first().map(|station| Bottleneck {
                of: station.name.clone(),
                resource: station.kind.name(),
                class: station.kind.class(),
            })
        })
    }

    fn classes(&self, hits: &Hits, capacity: Option<Figure>) -> Vec<Class> {
        let parts = self.asking.iter().zip(&self.parts).zip(self.samples);
        parts
            .map(|((asking, part), samples)| {
                let [p50, p95, p99] = percentiles(self.system, samples, hits);
                let mean = Figure {
                    value: part.demands.response_ms,
                    exact: part.demands.exact,
                };
                let knee = think_ms(asking.load)
                    .zip(capacity)
                    .map(|(think_ms, capacity)| Figure {
                        value: capacity.value * (think_ms + mean.value) / 1_000.0,
                        exact: capacity.exact && mean.exact,
                    });
                let failures = &part.demands.failures;
                let counted = part.demands.exact_failures();
                Class {
                    mix: asking.mix.clone(),
                    success_share: Figure {
                        value: 1.0 - failures.total(),
                        exact: counted,
                    },
                    failures: failures.told(counted),
                    response: Response {
                        mean_ms: mean,
                        p50_ms: Figure::about(p50),
                        p95_ms: Figure::about(p95),
                        p99_ms: Figure::about(p99),
                    },
                    knee_users: knee.filter(|_| self.asking.len() == 1),
                }
            })
            .collect()
    }

    fn resource(&self, station: &Station) -> Resource {
        let exact = station.is_constant && self.total.exact_demands();
        Resource {
            of: station.name.clone(),
            resource: station.kind.name(),
            demand_ms: Figure {
                value: station.demand_ms,
                exact,
            },
            servers: station.speed.greatest(),
            capacity_per_s: Figure {
                value: station.capacity_per_s(),
                exact,
            },
            utilisation: self.load.as_ref().map(|load| Figure {
                value: self.used(station, load.throughput_per_s.value),
                exact: exact && load.throughput_per_s.exact,
            }),
        }
    }

    /// Busy share of a station's servers at this throughput.
    fn used(&self, station: &Station, throughput_per_s: f64) -> f64 {
        let same = |one: &&Station| one.kind == station.kind && one.name == station.name;
        let spent = self.spent.as_ref();
        let station = spent.map_or(Some(station), |spent| spent.iter().find(same));
        station.map_or(0.0, |station| {
            (throughput_per_s / station.capacity_per_s()).min(1.0)
        })
    }

    fn caches(&self) -> Vec<CacheTruth> {
        let plan = &self.system.plan;
        let rate = self.load.as_ref().map_or_else(
            || self.capacity().unwrap_or(1.0),
            |load| load.throughput_per_s.value,
        );
        let mut caches = Vec::new();
        for (place, component) in plan.components.iter().enumerate() {
            let looked_up = self.total.lookups[place];
            let Some((cache, population)) = component
                .cache
                .as_ref()
                .and_then(|cache| Some((cache, cache.population?)))
                .filter(|_| looked_up > 0.0)
            else {
                continue;
            };
            let ttl_s = cache.ttl.map(|ttl| ttl.as_secs_f64() / plan.ageing);
            let instances = plan.hosts[component.host].instances as f64;
            let ratio =
                cache::of_population(population, cache, rate * looked_up / instances, ttl_s);
            caches.push(CacheTruth {
                component: component.name.to_string(),
                hit_ratio: Figure {
                    value: ratio.value,
                    // Without a lifetime it does not depend on the rate.
                    exact: ratio.exact
                        && (ttl_s.is_none()
                            || self
                                .load
                                .as_ref()
                                .is_some_and(|load| load.throughput_per_s.exact)),
                },
            });
        }
        caches
    }

    /// Mean number of requests at each host.
    fn in_flight(&self, throughput_per_s: f64) -> Vec<f64> {
        let plan = &self.system.plan;
        let inside = self.load.as_ref().and_then(|load| load.in_flight);
        let mut at: Vec<f64> = vec![0.0; plan.hosts.len()];
        for (component, demand) in plan.components.iter().zip(&self.total.components) {
            at[component.host] += throughput_per_s * demand.hold_ms / 1_000.0;
        }
        at[plan.edge.host] = inside.map_or(
            throughput_per_s * self.total.response_ms / 1_000.0,
            |inside| inside.value,
        );
        at
    }
}

fn think_ms(load: Load) -> Option<f64> {
    match load {
        Load::Unknown { think_ms } => think_ms,
        Load::Users { think_ms, .. } => Some(think_ms),
        Load::Rate { .. } => None,
    }
}

pub(super) fn users_of(load: Load) -> usize {
    match load {
        Load::Users { users, .. } => users as usize,
        _ => 0,
    }
}

/// Shares of the classes in the throughput without queueing.
fn weights(asking: &[Asking], demands: &[Demands]) -> Vec<f64> {
    if asking.len() == 1 {
        return vec![1.0];
    }
    let rates: Vec<f64> = asking
        .iter()
        .zip(demands)
        .map(|(one, demands)| {
            let cycle_ms = think_ms(one.load).unwrap_or(0.0) + demands.response_ms;
            users_of(one.load) as f64 / cycle_ms.max(1e-9)
        })
        .collect();
    let total: f64 = rates.iter().sum();
    rates.iter().map(|rate| rate / total).collect()
}

/// Demands of a request of any class.
fn sum(classes: &[Demands], weights: &[f64]) -> Demands {
    let mut parts = classes.iter().zip(weights);
    let Some((first, weight)) = parts.next() else {
        unreachable!("there is at least one class");
    };
    parts.fold(first.clone().scaled(*weight), |total, (class, weight)| {
        total.plus(&class.clone().scaled(*weight))
    })
}
