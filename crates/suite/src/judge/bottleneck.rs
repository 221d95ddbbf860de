//! The bottleneck of the target: its resources by use and by demand (N-04, ACSO-24).

use std::cmp::Ordering;

use analysis::service_demand::{self, Attribution, Demand, Resource};
use report::record::ResourceSample;
use serde_json::{Value, json};

use super::decide::CONFIDENCE;
use super::figure::{self, Figure};
use super::verdict::Sheet;
use super::window::Window;
use super::{Case, ladder, laws, window};

/// A resource is full from this busy share on.
const FULL: f64 = 0.9;
/// Memory has no queue: it is full at its limit.
const MEMORY_FULL: f64 = 0.95;
/// Windows with a smaller share of successes say nothing about demand.
const MOSTLY: f64 = 0.95;
/// A resource that is used less than this does not explain why responses wait.
const EXPLAINS: f64 = 0.7;
/// A resource that is used less than this in the only window may be background work.
const TELLING: f64 = 0.2;
/// Waiting that no watched resource explains: the response time is this many times the smallest.
const GROWN: f64 = 2.0;
/// A bottleneck is confirmed if something waits for the resource for this share of the time (pressure stall
/// information).
const CONFIRMS: f64 = 0.1;
/// A resource that is not full, but waited for during this share of the time, is the bottleneck: a quota throttles
/// bursts that the mean use does not show.
const STALLS: f64 = 0.25;

/// One resource of one host, with its use in each steady window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Used {
    pub host: Option<String>,
    /// `cpu`, `memory`, `disk`, `network`, or the name of a pool or of slots.
    pub resource: String,
    pub shares: Vec<f64>,
    /// The largest mean share of the time in which something waited for it, if the kernel reports it.
    pub pressure: Option<f64>,
}

impl Used {
    pub fn name(&self) -> String {
        if let Some(name) = self.resource.strip_prefix("pool_") {
            return format!("pool {name}");
        }
        match &self.host {
            Some(host) => format!("{} of {host}", self.resource),
            None => self.resource.clone(),
        }
    }

    pub fn class(&self) -> &'static str {
        match self.resource.as_str() {
            "cpu" => "CPU",
            "memory" => "memory",
            "disk" => "I/O",
            "network" => "network",
            _ => "application",
        }
    }

    pub fn largest(&self) -> f64 {
        self.shares.iter().copied().fold(0.0, f64::max)
    }

    fn is_full(&self) -> bool {
        let bound = if self.resource == "memory" {
            MEMORY_FULL
        } else {
            FULL
        };
        self.largest() >= bound
    }
}

/// The windows in which throughput and use belong together.
///
/// For a ladder, these are the steps up to the first that fails: deep in overload, rejected requests change
/// the mix, and other resources fill up.
fn windows<'a>(case: &Case<'a>) -> Vec<Window<'a>> {
    let mut steady = match ladder::steps(case) {
        steps if steps.is_empty() => window::steady(case.test, case.record),
        steps => steps,
    };
    if let (_, Some(failed)) = ladder::borne(case) {
        steady.retain(|step| step.level.is_none_or(|level| level <= failed));
    }
    if steady.is_empty() {
        vec![window::whole(case.test, case.record)]
    } else {
        steady
    }
}

/// Every watched resource that has a figure in each window.
pub(super) fn used(case: &Case<'_>) -> Vec<Used> {
    used_in(case, &windows(case))
}

fn used_in(case: &Case<'_>, windows: &[Window<'_>]) -> Vec<Used> {
    let mut all = Vec::new();
    for host in figure::hosts(&case.record.observed.target) {
        for resource in resources(&case.record.observed.target) {
            let share = |window: &Window<'_>| {
                let own: Vec<&ResourceSample> =
                    window.target.iter().filter(|it| it.host == host).collect();
                if resource == "memory" {
                    figure::largest_of(|it| it.memory_ratio)(&own)
                } else {
                    figure::mean_of(|it| share_of(it, &resource))(&own)
                }
            };
            let shares: Option<Vec<f64>> = windows.iter().map(share).collect();
            let stalled = windows.iter().filter_map(|window| {
                let own: Vec<&ResourceSample> =
                    window.target.iter().filter(|it| it.host == host).collect();
                figure::mean_of(|it| pressure_of(it, &resource))(&own)
            });
            let pressure = stalled.reduce(f64::max);
            all.extend(shares.filter(|it| !it.is_empty()).map(|shares| Used {
                host: host.clone(),
                resource: resource.clone(),
                shares,
                pressure,
            }));
        }
    }
    all
}

fn share_of(sample: &ResourceSample, resource: &str) -> Option<f64> {
    match resource {
        "cpu" => sample.cpu_ratio,
        "disk" => sample.disk_ratio,
        "network" => sample.network_ratio,
        other => sample.other.get(&format!("{other}_ratio")).copied(),
    }
}

/// Pressure stall information exists for processor, memory and disks.
fn pressure_of(sample: &ResourceSample, resource: &str) -> Option<f64> {
    let key = match resource {
        "disk" => "io",
        "cpu" | "memory" => resource,
        _ => return None,
    };
    sample.pressure.get(key).copied()
}

fn resources(samples: &[ResourceSample]) -> Vec<String> {
    let mut names: Vec<String> = ["cpu", "memory", "disk", "network"]
        .map(str::to_owned)
        .into();
    let others = samples.iter().flat_map(|it| it.other.keys());
    for name in others.filter_map(|it| it.strip_suffix("_ratio")) {
        let is_use = !name.contains("hit") && !names.iter().any(|known| known == name);
        if is_use {
            names.push(name.to_owned());
        }
    }
    names
}

/// The windows of mostly successful requests: failures use other resources than successes.
fn successful<'a>(case: &Case<'a>) -> Vec<Window<'a>> {
    let mut windows = windows(case);
    windows.retain(|it| it.figures.success_rate().is_some_and(|rate| rate >= MOSTLY));
    windows
}

/// Demands by regression of use on throughput (Denning and Buzen 1978); requires at least three windows of
/// different throughput.
pub(super) fn attribution(case: &Case<'_>) -> Option<Attribution> {
    let windows = successful(case);
    let throughputs: Option<Vec<f64>> = windows
        .iter()
        .map(|it| Figure::Successes.value(it))
        .collect();
    let throughputs = throughputs?;
    let used: Vec<Used> = used_in(case, &windows)
        .into_iter()
        .filter(|it| it.resource != "memory")
        .collect();
    let names: Vec<String> = used.iter().map(Used::name).collect();
    // A sampled share may overshoot; above 1 it says nothing about demand.
    let shares: Vec<Vec<f64>> = used
        .iter()
        .map(|it| {
            it.shares
                .iter()
                .map(|share| share.clamp(0.0, 1.0))
                .collect()
        })
        .collect();
    let resources: Vec<Resource<'_>> = names
        .iter()
        .zip(&shares)
        .map(|(name, utilisations)| Resource { name, utilisations })
        .collect();
    service_demand::attribute(&throughputs, &resources, CONFIDENCE).ok()
}

pub(super) fn analyse(case: &Case<'_>, sheet: &mut Sheet) {
    let used = used(case);
    if used.is_empty() {
        return;
    }
    let attribution = attribution(case);
    if let Some(attribution) = &attribution {
        sheet
            .analysis
            .insert("service_demand".to_owned(), demands(case, attribution));
    }
    let shown: Vec<Value> = used
        .iter()
        .map(|it| json!({ "resource": it.name(), "class": it.class(), "largest_share": it.largest(), "pressure": it.pressure }))
        .collect();
    sheet
        .analysis
        .insert("utilisation".to_owned(), Value::Array(shown));
    if let Some(named) = named(case, &used, attribution.as_ref()) {
        sheet.analysis.insert("bottleneck".to_owned(), named);
    }
}

fn demands(case: &Case<'_>, attribution: &Attribution) -> Value {
    let windows = successful(case);
    let used = used_in(case, &windows);
    let law = |demand: &Demand| {
        let own = used.iter().find(|it| it.name() == demand.resource)?;
        laws::utilisation(demand, &windows, &own.shares)
    };
    let all: Vec<Value> = attribution
        .demands
        .iter()
        .map(|it| {
            let interval = it.saturation_interval.filter(analysis::Interval::is_bounded);
            let law = law(it);
            json!({
                "resource": it.resource,
                "demand_ms": it.demand_s * 1_000.0,
                "demand_interval_ms": [it.demand_interval.lower * 1_000.0, it.demand_interval.upper * 1_000.0],
                "background": it.background,
                "saturation_per_s": it.saturation,
                "saturation_interval": interval.map(|it| [it.lower, it.upper]),
                "extrapolated_beyond": it.saturation
                    .filter(|at| *at > attribution.largest_throughput)
                    .map(|_| attribution.largest_throughput),
                "law_deviation": law.map(|it| it.deviation),
                "law_holds": law.map(|it| it.holds),
            })
        })
        .collect();
    json!({ "demands": all, "gain_if_doubled": attribution.gain_if_doubled })
}

/// The bottleneck: memory at its limit with failures; a full device; full slots or pools; the largest demand; and, if
/// responses wait for nothing that is watched, the resource that the target's own processes stall for, or the
/// application. A holder of slots keeps them while it waits for a device, so a full device explains full slots and not
/// the reverse.
fn named(case: &Case<'_>, used: &[Used], attribution: Option<&Attribution>) -> Option<Value> {
    let full = |class: &dyn Fn(&str) -> bool| {
        let those = used.iter().filter(|it| it.is_full() && class(it.class()));
        those.max_by(|a, b| a.largest().total_cmp(&b.largest()))
    };
    let failing = case.record.figures.error_rate().is_some_and(|it| it > 0.01);
    let by_use = full(&|class| class == "memory")
        .filter(|_| failing)
        .or_else(|| full(&|class| ["CPU", "I/O", "network"].contains(&class)))
        .or_else(|| full(&|class| class == "memory"))
        .or_else(|| full(&|class| class == "application"));
    if let Some(it) = by_use {
        return Some(shown(it, "use", it.largest()));
    }
    let responses: Vec<f64> = windows(case)
        .iter()
        .filter_map(|it| Figure::Mean.value(it))
        .collect();
    let least = responses.iter().copied().reduce(f64::min)?;
    let most = responses.iter().copied().reduce(f64::max)?;
    let waits = most >= GROWN * least || failing;
    let demanded = attribution.and_then(Attribution::bottleneck);
    let demanded = demanded.and_then(|it| used.iter().find(|used| used.name() == it.resource));
    // One window is enough if use without load is zero: D = U / X, so the largest use has the largest demand.
    let busiest = used
        .iter()
        .filter(|it| it.resource != "memory" && it.largest() >= TELLING);
    let busiest = busiest.max_by(|a, b| a.largest().total_cmp(&b.largest()));
    let demanded = demanded.or(busiest.filter(|_| attribution.is_none()));
    if let Some(it) = demanded.filter(|it| !waits || it.largest() >= EXPLAINS) {
        return Some(shown(it, "demand", it.largest()));
    }
    // The generator is part of the machine as a whole, and may be the process that waits.
    let is_own = case.record.observed.target_source.as_deref() == Some("cgroup");
    let stalled = used.iter().filter(|it| it.pressure >= Some(STALLS));
    let stalled = stalled.max_by(|a, b| {
        a.pressure
            .partial_cmp(&b.pressure)
            .unwrap_or(Ordering::Equal)
    });
    if let Some(it) = stalled.filter(|_| waits && is_own) {
        return Some(shown(it, "pressure", it.largest()));
    }
    waits.then(|| {
        json!({ "of": null, "resource": null, "class": "application", "by": "exclusion",
            "share": used.iter().map(Used::largest).reduce(f64::max) })
    })
}

fn shown(used: &Used, by: &str, share: f64) -> Value {
    // A pool is named after its destination, whichever host it was sampled at.
    let (of, resource) = match used.resource.strip_prefix("pool_") {
        Some(name) => (Some(name), "pool"),
        None => (used.host.as_deref(), used.resource.as_str()),
    };
    let confirmed = used.pressure.map(|pressure| pressure >= CONFIRMS);
    json!({ "of": of, "resource": resource, "class": used.class(), "by": by, "share": share,
        "pressure": used.pressure, "confirmed_by_pressure": confirmed })
}
