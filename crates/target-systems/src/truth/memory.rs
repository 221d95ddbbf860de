//! Memory: its use, its growth, and when it is exhausted.

use serde::Serialize;

use super::Figure;
use super::demand::HostDemand;
use crate::plan::{Host, Plan};

const KB_PER_MB: f64 = 1_024.0;

/// Memory of an instance of a host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Memory {
    pub host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_mb: Option<f64>,
    /// Without garbage, leaks and growing stores: base, requests in flight, full caches, initial rows.
    pub live_mb: Figure,
    /// Requests in flight at which the limit is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight_limit: Option<Figure>,
    /// Slope of the leak, including ageing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leak_mb_per_s: Option<Figure>,
    /// From the start until the leak reaches the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_to_limit_s: Option<Figure>,
    /// From one collection of garbage to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection_period_s: Option<Figure>,
    /// Share of the time during which the processor is stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_share: Option<Figure>,
}

/// Above this share of the limit, fluctuations of the requests in flight reach it, although their mean does
/// not.
const SHORT: f64 = 0.9;

impl Memory {
    /// Whether the use at the load, without leaks, is so close to the limit that an instance may crash.
    pub(super) fn is_short(&self) -> bool {
        self.limit_mb
            .is_some_and(|limit| self.live_mb.value >= SHORT * limit)
    }
}

/// Memory of each host at a throughput, if it is limited, leaks or is collected.
pub(super) fn of_hosts(
    plan: &Plan,
    demands: &[HostDemand],
    throughput_per_s: Option<f64>,
    in_flight: &[f64],
) -> Vec<Memory> {
    plan.hosts
        .iter()
        .enumerate()
        .filter(|(_, host)| host.memory_mb.is_some() || host.leak.is_some() || host.base_mb > 0.0)
        .map(|(place, host)| {
            let instances = host.instances as f64;
            // On the edge's host requests are counted, but not their visits there.
            let entries = if place == plan.edge.host {
                1.0
            } else {
                demands[place].visits
            };
            let entries_per_s = throughput_per_s.map(|throughput| throughput * entries / instances);
            let static_mb = host.base_mb + contents_mb(plan, place);
            let live = static_mb + in_flight[place] / instances * host.in_flight_mb;
            let leak = leak_mb_per_s(plan, host, entries_per_s);
            let garbage = throughput_per_s.and_then(|throughput| {
                let allocated = throughput * demands[place].allocate_kb / KB_PER_MB / instances;
                collection(host, live, allocated)
            });
            Memory {
                host: host.name.to_string(),
                limit_mb: host.memory_mb,
                live_mb: Figure::about(live),
                in_flight_limit: host
                    .memory_mb
                    .filter(|_| host.in_flight_mb > 0.0)
                    .map(|limit| Figure::exact((limit - static_mb).max(0.0) / host.in_flight_mb)),
                leak_mb_per_s: leak.map(Figure::exact),
                time_to_limit_s: leak
                    .zip(host.memory_mb)
                    .filter(|(leak, _)| *leak > 0.0)
                    .map(|(leak, limit)| Figure::about((limit - live).max(0.0) / leak)),
                collection_period_s: garbage.map(|(period, _)| Figure::about(period)),
                stopped_share: garbage.map(|(_, stopped)| Figure::about(stopped)),
            }
        })
        .collect()
}

/// Full caches and initial rows of the stores of an instance.
fn contents_mb(plan: &Plan, place: usize) -> f64 {
    let caches = plan
        .components
        .iter()
        .filter(|component| component.host == place);
    let cached: f64 = caches
        .filter_map(|component| component.cache.as_ref())
        .map(|cache| {
            let keys = cache
                .population
                .map_or(u64::MAX, |population| population.keys);
            (cache.capacity as f64).min(keys as f64) * cache.entry_kb / KB_PER_MB
        })
        .sum();
    let stores = plan.stores.iter().filter(|store| store.host == Some(place));
    let stored: f64 = stores
        .map(|store| store.populate as f64 * store.per_entry_kb / KB_PER_MB)
        .sum();
    cached + stored / plan.hosts[place].instances as f64
}

fn leak_mb_per_s(plan: &Plan, host: &Host, entries_per_s: Option<f64>) -> Option<f64> {
    let leak = host.leak?;
    let kb_per_s = leak.kb_per_s + leak.kb_per_request * entries_per_s.unwrap_or(0.0);
    (entries_per_s.is_some() || leak.kb_per_request == 0.0)
        .then_some(kb_per_s * plan.ageing / KB_PER_MB)
}

/// Period of the collections and the share of time for which they stop the processor: (collect_at·M − live)
/// divided by the allocation per second.
fn collection(host: &Host, live_mb: f64, allocated_mb_per_s: f64) -> Option<(f64, f64)> {
    let garbage = host.garbage?;
    let room = garbage.collect_at * host.memory_mb? - live_mb;
    if room <= 0.0 || allocated_mb_per_s <= 0.0 {
        return None;
    }
    let period = room / allocated_mb_per_s;
    let pause = garbage.pause.as_secs_f64();
    Some((period, (pause / period).min(1.0)))
}
