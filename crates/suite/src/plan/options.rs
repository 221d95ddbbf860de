//! The k6 options of a test: one scenario for each user class.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::phases::{Kind, PlannedPhase};
use super::{EffectivePart, PROBE_EVERY, SHORTEST, allocation, share};
use crate::file::{Class, Model, Samples};

/// Stopping users get no grace period, as in Locust.
const GRACEFUL_RAMP_DOWN: &str = "0s";

/// Options of a test that runs in phases.
pub(super) fn of_phases(whole: &EffectivePart<'_>, phases: &[PlannedPhase]) -> Value {
    let weights: Vec<u32> = classes(whole).map(|(_, class)| class.weight).collect();
    let levels: Vec<f64> = phases.iter().map(PlannedPhase::level).collect();
    let has_users = levels.iter().any(|level| level.round() > 0.0);
    let scenarios = classes(whole)
        .enumerate()
        .filter_map(|(place, (name, class))| {
            let mut scenario = match whole.model {
                Model::Closed => {
                    let users: Vec<u64> = levels
                        .iter()
                        .map(|level| share::users(level.round() as u64, &weights)[place])
                        .collect();
                    // With fewer users than classes, k6 rejects a scenario that never has any.
                    if has_users && users.iter().all(|users| *users == 0) {
                        return None;
                    }
                    let targets = users.into_iter().map(|users| json!(users));
                    json!({
                        "executor": "ramping-vus",
                        "exec": class.exec,
                        "startVUs": 0,
                        "stages": stages(phases, targets),
                        "gracefulRampDown": GRACEFUL_RAMP_DOWN,
                        "gracefulStop": seconds(class.graceful_stop.get()),
                        "tags": { "class": name },
                    })
                }
                Model::Open => open(name, class, phases, &rates(&levels, &weights, place)),
            };
            scenario["env"] = match whole.model {
                Model::Closed => environment(class, class.wait_s),
                // A user that waited after its response would only keep a virtual user busy.
                Model::Open => environment(class, [0.0; 2]),
            };
            Some((name.to_owned(), scenario))
        });
    let probes = classes(whole).flat_map(|(name, class)| probes(name, class, phases));
    with_thresholds(whole, scenarios.chain(probes).collect())
}

/// In phases without load, one user of each class sends requests continuously; its samples show how the
/// system recovers. They are tagged, because they do not count as load.
fn probes(
    name: &str,
    class: &Class,
    phases: &[PlannedPhase],
) -> impl Iterator<Item = (String, Value)> {
    let rests = phases
        .iter()
        .filter(|phase| phase.kind == Kind::Rest && phase.end_s > phase.begin_s);
    rests.enumerate().map(move |(place, rest)| {
        let wait_s = PROBE_EVERY.as_secs_f64();
        let environment = environment(class, [wait_s; 2]);
        let scenario = json!({
            "executor": "constant-vus",
            "exec": class.exec,
            "vus": 1,
            "startTime": seconds(rounded(rest.begin_s)),
            "duration": seconds(rounded(rest.end_s - rest.begin_s).max(SHORTEST)),
            "gracefulStop": seconds(class.graceful_stop.get()),
            "tags": { "class": name, "phase": "probe" },
            "env": environment,
        });
        (format!("{name}_probe_{}", place + 1), scenario)
    })
}

/// Rounds to the nearest millisecond, so that the difference of two times does not lose one.
fn rounded(seconds: f64) -> Duration {
    Duration::from_millis((seconds * 1e3).round().max(0.0) as u64)
}

/// Options of a test with a fixed number of iterations.
pub(super) fn of_samples(whole: &EffectivePart<'_>, samples: &Samples) -> Value {
    let mut scenarios = Map::new();
    for (name, class) in classes(whole) {
        let shared = |iterations: u64, users: u64| {
            json!({
                "executor": "shared-iterations",
                "exec": class.exec,
                "vus": users.min(iterations),
                "iterations": iterations,
                "gracefulStop": seconds(class.graceful_stop.get()),
                "env": environment(class, class.wait_s),
            })
        };
        let mut counted = shared(samples.iterations, samples.users);
        counted["tags"] = json!({ "class": name });
        if samples.warm_up > 0 {
            let mut warm_up = shared(samples.warm_up, 1);
            warm_up["tags"] = json!({ "class": name, "phase": "warm_up" });
            warm_up["maxDuration"] = json!(WARM_UP_WITHIN);
            counted["startTime"] = json!(WARM_UP_WITHIN);
            scenarios.insert(format!("{name}_warm_up"), warm_up);
        }
        scenarios.insert(name.to_owned(), counted);
    }
    with_thresholds(whole, scenarios)
}

/// Maximum time of the warm-up iterations; the measured ones begin after it.
const WARM_UP_WITHIN: &str = "5s";

fn classes<'a>(
    whole: &'a EffectivePart<'_>,
) -> impl Iterator<Item = (&'a str, &'a Class)> + Clone + 'a {
    let named = whole.users.iter();
    named.filter_map(|name| Some((name.as_str(), whole.file.classes.get(*name)?)))
}

/// The variables that a class passes to its script: the weights of the suite file, and these waits.
fn environment(class: &Class, [least_s, most_s]: [f64; 2]) -> Value {
    let mut environment = json!({ "SPARRING_WAIT_S": format!("{least_s},{most_s}") });
    if !class.tasks.is_empty() {
        environment["SPARRING_TASKS"] = json!(json!(class.tasks).to_string());
    }
    environment
}

fn rates(levels: &[f64], weights: &[u32], place: usize) -> Vec<f64> {
    levels
        .iter()
        .map(|level| share::rates(*level, weights)[place])
        .collect()
}

/// The units of time in which k6 counts arrivals, with the arrivals in one for each in a second.
pub(super) const UNITS: [(&str, f64); 3] = [("1s", 1.0), ("1m", 60.0), ("1h", 3600.0)];

/// k6 takes whole arrivals per unit of time; fractional rates per second use a minute or an hour as unit.
fn open(name: &str, class: &Class, phases: &[PlannedPhase], rates: &[f64]) -> Value {
    let whole = |factor: f64| {
        rates
            .iter()
            .all(|rate| (rate * factor).fract().abs() < 1e-9)
    };
    let (unit, factor) = UNITS
        .into_iter()
        .find(|(_, factor)| whole(*factor))
        .unwrap_or(UNITS[2]);
    let targets = rates
        .iter()
        .map(|rate| json!((rate * factor).round() as u64));
    let highest = rates.iter().copied().fold(0.0, f64::max);
    json!({
        "executor": "ramping-arrival-rate",
        "exec": class.exec,
        "startRate": 0,
        "timeUnit": unit,
        "stages": stages(phases, targets),
        "preAllocatedVUs": allocation::assumed(highest),
        "gracefulStop": seconds(class.graceful_stop.get()),
        "tags": { "class": name },
    })
}

/// A level that is not reached by a ramp is a jump: a stage of length zero before its phase.
fn stages(phases: &[PlannedPhase], targets: impl Iterator<Item = Value>) -> Value {
    let mut stages = Vec::new();
    let mut before = json!(0);
    for (phase, target) in phases.iter().zip(targets) {
        if phase.kind.jumps() && before != target {
            stages.push(json!({ "duration": "0s", "target": target }));
        }
        stages.push(json!({ "duration": seconds(phase.length()), "target": target }));
        before = target;
    }
    Value::Array(stages)
}

fn with_thresholds(whole: &EffectivePart<'_>, scenarios: Map<String, Value>) -> Value {
    let mut options = json!({ "scenarios": scenarios });
    if !whole.judge.thresholds.is_empty() {
        options["thresholds"] = json!(whole.judge.thresholds);
    }
    options
}

/// A duration in k6's notation, to the millisecond.
pub(super) fn seconds(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms.is_multiple_of(1000) {
        format!("{}s", ms / 1000)
    } else {
        format!("{ms}ms")
    }
}
