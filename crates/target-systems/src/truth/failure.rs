//! Failures that a file itself states: failing steps, injected faults, full stores, crashing instances.
//! Failures without a closed form are described in a sentence.

use std::collections::BTreeMap;
use std::time::Duration;

use fault_profile::draw::Draws;
use fault_profile::sampler::Sampler;
use fault_profile::{Failure, Profile};
use serde::Serialize;

use super::Figure;
use super::demand::Demands;
use super::memory::Memory;
use super::moments::Moments;
use super::open::{Speed, steady};
use crate::network::Cause;
use crate::plan::{AtCapacity, Component, Plan, Store};

/// A store that takes longer to fill is not full in the steady state of a run: its time is reported.
const SOON_S: f64 = 600.0;

/// Requests that fail for the same reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failing {
    pub error_type: String,
    pub status: u16,
    /// Share of all requests.
    pub share: Figure,
}

/// Shares of requests by their failure.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Failures(BTreeMap<(String, u16), f64>);

impl Failures {
    pub fn add(&mut self, error_type: &str, status: u16, share: f64) {
        if share > 0.0 {
            *self.0.entry((error_type.to_owned(), status)).or_default() += share;
        }
    }

    pub fn add_all(&mut self, other: &Self, factor: f64) {
        for ((error_type, status), share) in &other.0 {
            self.add(error_type, *status, share * factor);
        }
    }

    pub fn scale(&mut self, factor: f64) {
        self.0.values_mut().for_each(|share| *share *= factor);
    }

    pub fn total(&self) -> f64 {
        self.0.values().sum::<f64>().min(1.0)
    }

    pub fn told(&self, exact: bool) -> Vec<Failing> {
        let told = |((error_type, status), value): (&(String, u16), &f64)| Failing {
            error_type: error_type.clone(),
            status: *status,
            share: Figure {
                value: *value,
                exact,
            },
        };
        self.0.iter().map(told).collect()
    }
}

/// The faults that a component injects into its visits.
pub(super) struct Injected<'a> {
    profile: &'a Profile,
    /// Share of visits that draw a failure.
    rate: f64,
    /// Shares of visits that fail at their end.
    pub failing: Failures,
    /// Added to the service of the others.
    latency: Moments,
    /// Share of visits whose service is replaced, and the moments of what replaces it.
    replaced: (f64, Moments),
    /// Whether visits fail independently.
    pub exact: bool,
}

impl<'a> Injected<'a> {
    pub fn of(component: &'a Component) -> Option<Self> {
        let profile = profile(component)?;
        let (rate, exact) = rate(profile);
        let mix = profile.failure_mix();
        let total: f64 = mix.iter().map(|one| one.weight).sum();
        let mut failing = Failures::default();
        let (mut share, mut mean, mut second) = (0.0, 0.0, 0.0);
        for one in &mix {
            let part = rate * one.weight / total;
            match &one.kind {
                Failure::Timeout { after_ms } => {
                    share += part;
                    mean += part * after_ms;
                    second += part * after_ms * after_ms;
                }
                Failure::Hang { .. } => {
                    failing.add(Cause::Timeout.name(), Cause::Timeout.status(), part);
                }
                Failure::Status { code, .. } => failing.add(Cause::Injected.name(), *code, part),
                _ => failing.add(Cause::Injected.name(), Cause::Injected.status(), part),
            }
        }
        let replacing = Moments {
            mean: if share > 0.0 { mean / share } else { 0.0 },
            second: if share > 0.0 { second / share } else { 0.0 },
            exact: true,
        };
        Some(Self {
            profile,
            rate,
            failing,
            latency: Moments::of(&profile.latency),
            replaced: (share, replacing),
            exact,
        })
    }

    /// The service of a visit, given its own service.
    pub fn service(&self, own: Moments) -> Moments {
        let with = own.plus(self.latency);
        let (share, replacing) = self.replaced;
        let mixed = |one: f64, other: f64| (1.0 - share) * one + share * other;
        Moments {
            mean: mixed(with.mean, replacing.mean),
            second: mixed(with.second, replacing.second),
            exact: with.exact,
        }
    }

    /// The time of a visit with this service in milliseconds, and whether it succeeds.
    pub fn draw(&self, draws: &mut Draws, own_ms: f64) -> (f64, bool) {
        let latency_ms = Sampler::new(&self.profile.latency).draw_ms(draws);
        if draws.unit() >= self.rate {
            return (own_ms + latency_ms, true);
        }
        let mix = self.profile.failure_mix();
        let mut left = draws.unit() * mix.iter().map(|one| one.weight).sum::<f64>();
        let drawn = mix.iter().find(|one| {
            left -= one.weight;
            left < 0.0
        });
        match drawn.map(|one| &one.kind) {
            Some(Failure::Timeout { after_ms }) => (*after_ms, true),
            _ => (own_ms + latency_ms, false),
        }
    }
}

/// A component's faults at time zero.
fn profile(component: &Component) -> Option<&Profile> {
    let timeline = component.faults.as_ref()?.timeline();
    Some(&timeline.segment_at(Duration::ZERO).profile)
}

/// The share of visits that draw a failure in the long run, and whether each draws independently.
fn rate(profile: &Profile) -> (f64, bool) {
    let nth = profile.pattern.every_nth_fails;
    if nth > 0 {
        return (1.0 / nth as f64, false);
    }
    if let Some(states) = &profile.correlation.gilbert_elliott {
        let bad = states.good_to_bad / (states.good_to_bad + states.bad_to_good);
        let rate = bad * states.failure_rate_bad + (1.0 - bad) * states.failure_rate_good;
        return (rate, false);
    }
    (
        1.0 - profile.success_rate,
        profile.correlation.group.is_none(),
    )
}

/// Share of the creations that a store rejects in the long run, at this number of requests per second.
pub(super) fn full(plan: &Plan, place: usize, demands: &Demands, per_s: f64) -> f64 {
    match filling(plan, place, demands, per_s) {
        Filling::Refuses(share) => share,
        Filling::Never | Filling::After(_) | Filling::Unknown => 0.0,
    }
}

/// The long-term state of a store.
enum Filling {
    Never,
    /// Full for ever, after this many seconds.
    After(f64),
    /// It rejects this share of new entries.
    Refuses(f64),
    Unknown,
}

fn filling(plan: &Plan, place: usize, demands: &Demands, per_s: f64) -> Filling {
    let store = &plan.stores[place];
    let writes = demands.writes[place];
    let rows_per_s = per_s * (writes.created + writes.other);
    if store.at_capacity == AtCapacity::Evict || rows_per_s <= 0.0 {
        return Filling::Never;
    }
    let room = (capacity(plan, store) - store.populate as f64).max(0.0);
    let lives = [store.ttl, store.retain_after_end];
    let Some(ttl) = store.ttl else {
        return Filling::After(room / rows_per_s);
    };
    let is_plain = writes.other <= 0.0 && writes.touched <= 0.0;
    let longest = lives.into_iter().flatten().max().unwrap_or(ttl);
    let kept = if is_plain { ttl } else { longest };
    let offered = rows_per_s * kept.as_secs_f64() / plan.ageing;
    if offered + 8.0 * offered.sqrt() < room {
        return Filling::Never;
    }
    if room / rows_per_s > SOON_S {
        return Filling::After(room / rows_per_s);
    }
    if !is_plain {
        return Filling::Unknown;
    }
    // Entries that arrive randomly and live for a time of their own: Erlang's loss formula.
    let found = steady(offered, Speed::Servers(room.max(1.0)), Some(room));
    found.map_or(Filling::Unknown, |found| {
        Filling::Refuses(if room < 1.0 { 1.0 } else { found.lost })
    })
}

/// The number of rows for which a store and the disk of its host have space.
fn capacity(plan: &Plan, store: &Store) -> f64 {
    let host = store.host.map(|host| &plan.hosts[host]);
    let on_disk = host.filter(|_| store.per_entry_kb > 0.0).and_then(|host| {
        let rows = (host.disk_mb? * 1_024.0 / store.per_entry_kb).floor();
        Some(rows * host.instances as f64)
    });
    on_disk.map_or(store.capacity as f64, |rows| {
        rows.min(store.capacity as f64)
    })
}

/// The arrival rate of requests, and their number inside each host.
pub(super) struct Coming<'a> {
    pub per_s: f64,
    pub in_flight: &'a [f64],
}

/// Share of requests lost to crashes of leaking hosts.
pub(super) fn crashes(
    plan: &Plan,
    memory: &[Memory],
    demands: &Demands,
    coming: &Coming<'_>,
) -> Failures {
    let Coming { per_s, in_flight } = *coming;
    let mut failures = Failures::default();
    for (place, up_s) in leaking(plan, memory) {
        let host = &plan.hosts[place];
        if host.instances > 1 || per_s <= 0.0 {
            continue;
        }
        let down_s = host.crash.restart.as_secs_f64();
        let unnoticed_s = host.crash.detect.as_secs_f64().min(down_s);
        let asked = if place == plan.edge.host {
            1.0
        } else {
            demands.hosts[place].visits.min(1.0)
        };
        let period_s = up_s + down_s;
        let crashed = (asked * unnoticed_s + in_flight[place] / per_s) / period_s;
        failures.add(
            Cause::Crashed.name(),
            Cause::Crashed.status(),
            crashed.min(1.0),
        );
        let unavailable = asked * (down_s - unnoticed_s) / period_s;
        failures.add(
            Cause::Unavailable.name(),
            Cause::Unavailable.status(),
            unavailable,
        );
    }
    failures
}

/// Hosts that crash because of a leak, each with the time until then, in seconds.
fn leaking(plan: &Plan, memory: &[Memory]) -> Vec<(usize, f64)> {
    let known = memory.iter().filter_map(|memory| {
        let place = plan
            .hosts
            .iter()
            .position(|host| *host.name == *memory.host)?;
        Some((place, memory.time_to_limit_s?.value))
    });
    known.collect()
}

/// The stated failures that the truth does not include, in sentences. The last ones depend on the load.
pub(super) fn not_counted(
    plan: &Plan,
    memory: &[Memory],
    demands: &Demands,
    per_s: Option<f64>,
) -> Vec<String> {
    let mut told = Vec::new();
    for (component, demand) in plan.components.iter().zip(&demands.components) {
        if demand.visits > 0.0 {
            of_component(component, plan, per_s.is_some(), &mut told);
        }
    }
    let Some(per_s) = per_s else {
        return told;
    };
    for (place, store) in plan.stores.iter().enumerate() {
        let name = &store.name;
        match filling(plan, place, demands, per_s) {
            Filling::Never | Filling::Refuses(_) => {}
            Filling::After(s) => told.push(format!(
                "The store {name} is full after {s:.0} s of this load; requests that it then rejects are not counted."
            )),
            Filling::Unknown => told.push(format!(
                "The store {name} may be full at this load; requests that it then rejects are not counted."
            )),
        }
    }
    for (place, _) in leaking(plan, memory) {
        let host = &plan.hosts[place];
        if host.instances > 1 {
            told.push(format!(
                "The instances of {} leak until they crash; requests lost by the crashes are not counted, because there are several instances.",
                host.name
            ));
        }
    }
    if let Some(deadline) = plan.edge.deadline {
        told.push(format!(
            "Requests that are not done within the deadline of {} s are not counted as failed.",
            deadline.as_secs_f64()
        ));
    }
    if plan.edge.rate_limit.is_some() {
        told.push("Requests beyond the rate limit of the edge are not counted as failed.".into());
    }
    for (pool, demand) in plan.pools.iter().zip(&demands.pools) {
        if let Some(wait) = pool.wait.filter(|_| demand.visits > 0.0) {
            told.push(format!(
                "Requests that wait longer than {} s for a connection of {} are not counted as failed.",
                wait.as_secs_f64(),
                pool.name
            ));
        }
    }
    told
}

fn of_component(component: &Component, plan: &Plan, has_load: bool, told: &mut Vec<String>) {
    let name = &component.name;
    if let Some(patience) = component.queue.patience.filter(|_| has_load) {
        told.push(format!(
            "Visits that wait longer than {} s for {name} are not counted as failed.",
            patience.as_secs_f64()
        ));
    }
    let (Some(profile), Some(faults)) = (profile(component), &component.faults) else {
        return;
    };
    if faults.timeline().segments().len() > 1 {
        told.push(format!(
            "The faults of {name} follow a schedule: those of its beginning are counted, later ones are not."
        ));
    }
    if profile.pattern.first_succeed > 0 || profile.pattern.then_fail > 0 {
        told.push(format!(
            "The first visits of each tenant to {name}, which succeed or fail by their position, are not counted separately."
        ));
    }
    let hangs = |one: &fault_profile::WeightedFailure| {
        matches!(one.kind, Failure::Hang { .. }) && one.weight > 0.0
    };
    if rate(profile).0 > 0.0 && profile.failure_mix().iter().any(hangs) {
        let end = match plan.edge.deadline {
            Some(_) => "until the deadline",
            None => "for ever",
        };
        told.push(format!(
            "Visits to {name} that hang keep their slots {end}; the resulting shortage is not counted."
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_by_what_requests_fail_with() {
        let mut failures = Failures::default();
        failures.add("injected", 503, 0.1);
        failures.add("injected", 503, 0.1);
        failures.add("rejected", 409, 0.3);
        failures.add("nothing", 500, 0.0);
        failures.scale(0.5);
        let told = failures.told(true);
        let told: Vec<(&str, u16, f64)> = told
            .iter()
            .map(|one| (one.error_type.as_str(), one.status, one.share.value))
            .collect();
        assert_eq!(told, [("injected", 503, 0.1), ("rejected", 409, 0.15)]);
        assert!((failures.total() - 0.25).abs() < 1e-12);
    }
}
