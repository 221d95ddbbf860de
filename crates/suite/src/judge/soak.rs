//! The verdict on a long run: does anything grow (N-11, ACSO-45)?

use analysis::soak::{self, Plan, Soak, Verdict};
use indexmap::IndexMap;
use report::record::{ResourceSample, Second};
use serde_json::{Value, json};

use super::verdict::{Sheet, number};
use super::{Case, figure, window};
use crate::plan::whole_name;

/// The trend compares all pairs of points: longer series are averaged down to this length.
const MOST_POINTS: usize = 600;
/// Growth over the run that is harmless, as a share of the level.
const HARMLESS_MEMORY: f64 = 0.01;
const HARMLESS_LATENCY: f64 = 0.05;

/// A series that should stay level.
struct Series {
    name: String,
    unit: &'static str,
    times: Vec<f64>,
    values: Vec<f64>,
    harmless: f64,
    limit: Option<f64>,
    /// Restarts of the host within the phase; the series is the longest stretch without one.
    restarts: u64,
}

pub(super) fn analyse(case: &Case<'_>, sheet: &mut Sheet) {
    if !is_soak(case) {
        return;
    }
    let judged: Vec<Value> = series(case).iter().map(judged).collect();
    if !judged.is_empty() {
        sheet
            .analysis
            .insert("soak".to_owned(), Value::Array(judged));
    }
}

fn is_soak(case: &Case<'_>) -> bool {
    case.test.name == "soak" || case.test.judge.names.iter().any(|name| name == "leak")
}

/// Whether the plan itself makes the target leak, so that a leak has to be found.
pub(super) fn leaks_on_purpose(case: &Case<'_>) -> bool {
    let before = &case.test.before;
    let limits = before
        .set
        .values()
        .any(|limits| limits.contains_key("leak"));
    let toggled = before
        .toggle
        .iter()
        .any(|(name, on)| name.contains("leak") && *on);
    limits || toggled
}

fn series(case: &Case<'_>) -> Vec<Series> {
    let Some(level) = level(case) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for host in figure::hosts(&level.target) {
        let own: Vec<&ResourceSample> = level.target.iter().filter(|it| it.host == host).collect();
        let name = host.unwrap_or_else(|| "the target".to_owned());
        let restarts = restarts(&own);
        let own = longest_life(&own);
        let limit = own.iter().rev().find_map(|sample| {
            let ratio = sample.memory_ratio.filter(|ratio| *ratio > 0.0)?;
            Some(sample.memory_bytes? as f64 / ratio)
        });
        let memory = |it: &ResourceSample| it.memory_bytes.map(|bytes| bytes as f64);
        let series = of(&format!("memory of {name}"), "bytes", &own, memory, limit);
        all.push(Series { restarts, ..series });
        let count = |it: &ResourceSample| it.descriptors.map(|count| count as f64);
        all.push(of(
            &format!("descriptors of {name}"),
            "descriptors",
            &own,
            count,
            None,
        ));
        let count = |it: &ResourceSample| it.threads.map(|count| count as f64);
        all.push(of(
            &format!("threads of {name}"),
            "threads",
            &own,
            count,
            None,
        ));
    }
    let medians = level
        .seconds
        .iter()
        .filter_map(|it| Some((it.at_s, it.p50_ms?)));
    let (times, values) = medians.unzip();
    all.push(Series {
        name: "median response".to_owned(),
        unit: "ms",
        times,
        values,
        harmless: HARMLESS_LATENCY,
        limit: None,
        restarts: 0,
    });
    all.retain(|series| series.times.len() > 1 || series.restarts > 0);
    all
}

/// The observations at one level of the test.
struct Level {
    length_s: f64,
    seconds: Vec<Second>,
    target: Vec<ResourceSample>,
}

/// The level that was held the longest: during a ramp, figures grow by themselves. Parts of an interrupted
/// phase count as one level.
fn level(case: &Case<'_>) -> Option<Level> {
    let mut levels: IndexMap<String, Level> = IndexMap::new();
    for window in window::steady(case.test, case.record) {
        let name = whole_name(window.phase.unwrap_or_default()).to_owned();
        let level = levels.entry(name).or_insert_with(|| Level {
            length_s: 0.0,
            seconds: Vec::new(),
            target: Vec::new(),
        });
        level.length_s += window.length_s();
        level.seconds.extend_from_slice(window.seconds);
        level.target.extend_from_slice(window.target);
    }
    levels
        .into_values()
        .max_by(|a, b| a.length_s.total_cmp(&b.length_s))
}

fn counted(sample: &ResourceSample) -> f64 {
    sample.other.get("restarts").copied().unwrap_or(0.0)
}

fn restarts(samples: &[&ResourceSample]) -> u64 {
    let rises = samples
        .windows(2)
        .map(|pair| counted(pair[1]) - counted(pair[0]));
    rises.filter(|rise| *rise > 0.0).sum::<f64>() as u64
}

/// The longest period in which the host was up and did not restart: a crash frees memory, which looks like
/// the drop of a garbage collection.
fn longest_life<'a>(samples: &[&'a ResourceSample]) -> Vec<&'a ResourceSample> {
    let is_up = |it: &ResourceSample| it.other.get("instances_up").is_none_or(|up| *up > 0.0);
    let lives = samples.chunk_by(|a, b| counted(a) == counted(b) && is_up(a) == is_up(b));
    let longest = lives
        .filter(|life| life.first().is_some_and(|it| is_up(it)))
        .max_by_key(|life| life.len());
    longest.map(<[_]>::to_vec).unwrap_or_default()
}

fn of(
    name: &str,
    unit: &'static str,
    samples: &[&ResourceSample],
    value: impl Fn(&ResourceSample) -> Option<f64>,
    limit: Option<f64>,
) -> Series {
    let points = samples.iter().filter_map(|it| Some((it.at_s, value(it)?)));
    let (times, values) = points.unzip();
    Series {
        name: name.to_owned(),
        unit,
        times,
        values,
        harmless: HARMLESS_MEMORY,
        limit,
        restarts: 0,
    }
}

/// Theil-Sen's slope with its interval and Mann-Kendall's test; a sawtooth is reduced to its floors.
fn judged(series: &Series) -> Value {
    let (times, values) = (thinned(&series.times), thinned(&series.values));
    let run_s = times.last().unwrap_or(&0.0) - times.first().unwrap_or(&0.0);
    let level = values.iter().map(|it| it.abs()).sum::<f64>() / values.len().max(1) as f64;
    let plan = Plan {
        harmless_slope: series.harmless * level / run_s.max(1e-9),
        ..Plan::default()
    };
    let found = match soak::soak(&times, &values, &plan) {
        Ok(found) => found,
        Err(_) if series.restarts > 0 => {
            return json!({ "series": series.name, "unit": series.unit, "verdict": "restarts",
                "restarts": series.restarts,
                "text": format!("The {} cannot be followed: {} restarts.", series.name, series.restarts) });
        }
        Err(error) => {
            return json!({ "series": series.name, "unit": series.unit, "verdict": null,
                "text": format!("{} cannot be judged: {error}.", series.name) });
        }
    };
    let found = settled(found, &values, series.harmless * level);
    let found = if series.unit == "ms" {
        untoothed(found, &plan)
    } else {
        found
    };
    let slope = found.trend.interval;
    let end = series.limit.and_then(|limit| found.time_to_limit(limit));
    json!({
        "series": series.name,
        "unit": series.unit,
        "verdict": word(found.verdict),
        "slope_per_s": found.trend.slope,
        "interval": [slope.lower, slope.upper],
        "detectable_per_s": found.detectable_slope,
        "level": found.level,
        "restarts": series.restarts,
        "limit": series.limit,
        "time_to_limit_s": end.filter(|_| found.verdict == Verdict::Leak).map(|it| json!({
            "expected": it.expected, "earliest": it.earliest, "latest": it.latest })),
        "text": text(series, &found),
    })
}

/// A series that never leaves a harmless band does not grow, however it varies inside.
fn settled(found: Soak, values: &[f64], band: f64) -> Soak {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match found.verdict {
        Verdict::TooFewTeeth if most - least <= band => Soak {
            verdict: Verdict::NoLeak,
            ..found
        },
        _ => found,
    }
}

/// Response times are not garbage-collected: their drops are chance, and the trend uses all values.
fn untoothed(found: Soak, plan: &Plan) -> Soak {
    let grows = found.trend.p_value <= 1.0 - plan.confidence
        && found.trend.interval.lower > plan.harmless_slope;
    match found.verdict {
        Verdict::TooFewTeeth => Soak {
            verdict: if grows {
                Verdict::Leak
            } else {
                Verdict::NoLeak
            },
            ..found
        },
        _ => found,
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Leak => "leak",
        Verdict::Settling => "settling",
        Verdict::NoLeak => "no_leak",
        Verdict::TooFewTeeth => "too_few_teeth",
    }
}

fn text(series: &Series, found: &Soak) -> String {
    let per_hour = |slope: f64| match series.unit {
        "bytes" => format!("{} MB/h", number(slope * 3600.0 / 1e6)),
        unit => format!("{} {unit}/h", number(slope * 3600.0)),
    };
    let name = &series.name;
    match found.verdict {
        Verdict::Leak => format!(
            "The {name} grows by {} without levelling off.",
            per_hour(found.trend.slope)
        ),
        Verdict::Settling => {
            format!("The {name} grew at a decreasing rate, as in a warm-up.")
        }
        Verdict::NoLeak => format!(
            "The {name} does not grow; a growth above {} would have been detected.",
            per_hour(found.detectable_slope)
        ),
        Verdict::TooFewTeeth => {
            format!("The {name} rises and falls too rarely for a verdict.")
        }
    }
}

/// Means of equal blocks, so that at most [`MOST_POINTS`] are left.
fn thinned(values: &[f64]) -> Vec<f64> {
    let block = values.len().div_ceil(MOST_POINTS).max(1);
    let blocks = values.chunks(block);
    blocks
        .map(|block| block.iter().sum::<f64>() / block.len() as f64)
        .collect()
}
