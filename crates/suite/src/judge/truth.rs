//! Compares the results of the analysis with the truth of a simulated target (R-12, N-06).
//!
//! The truth is the JSON of `/__admin/truth`. It judges the analysis, never the target: nothing here
//! changes an outcome.

use report::record::{FoundAndTrue, PhaseKind, PhaseRecord, TestContent, TestRecord};
use serde_json::{Value, json};

/// Capacity and slopes have to be this close (G-07, issue 18).
const CAPACITY: f64 = 0.05;
const SLOPE: f64 = 0.1;
const HIT_RATIO: f64 = 0.02;
const MEAN_RESPONSE: f64 = 0.1;
const BYTES_PER_MB: f64 = 1_048_576.0;

/// Fills the column for one judged test. `truth` is that of the system as it was during the test, including
/// limits and toggles.
pub fn compare_with_truth(record: &mut TestRecord, truth: &Value) {
    let mut found = Vec::new();
    found.extend(capacity(record, truth));
    found.extend(bottleneck(record, truth));
    found.extend(knee(record, truth));
    found.extend(crossing(record, truth));
    found.extend(coefficients(record, truth));
    found.extend(leaks(record, truth));
    found.extend(hit_ratio(record, truth));
    found.extend(at_load(record, truth));
    record.truth = found;
}

/// A figure of the truth: `{value, exact}` or a bare number.
fn figure(value: Option<&Value>) -> Option<f64> {
    let value = value?;
    value.get("value").unwrap_or(value).as_f64()
}

fn analysed<'a>(record: &'a TestRecord, name: &str, path: &str) -> Option<&'a Value> {
    let found = record.analysis.get(name)?;
    let found = if path.is_empty() {
        found
    } else {
        found.pointer(path)?
    };
    (!found.is_null()).then_some(found)
}

/// Numbers agree if the truth is inside the interval, or within a tolerance of the estimate.
fn numbers(
    what: &str,
    found: f64,
    interval: Option<[f64; 2]>,
    truth: f64,
    tolerance: f64,
) -> FoundAndTrue {
    let inside = interval.is_some_and(|[lower, upper]| lower <= truth && truth <= upper);
    let allowed = tolerance * truth.abs();
    let near = (found - truth).abs() <= allowed;
    FoundAndTrue {
        what: what.to_owned(),
        found: json!(found),
        interval,
        truth: json!(truth),
        tolerance: (allowed > 0.0).then_some(allowed),
        agrees: Some(inside || near),
    }
}

fn interval(value: Option<&Value>) -> Option<[f64; 2]> {
    let ends = value?;
    Some([ends.get(0)?.as_f64()?, ends.get(1)?.as_f64()?])
}

/// Each estimate of a capacity that is within the measured range; a ladder's highest throughput if there is
/// none.
fn capacity(record: &TestRecord, truth: &Value) -> Vec<FoundAndTrue> {
    let Some(true_per_s) = figure(truth.get("capacity_per_s")) else {
        return Vec::new();
    };
    let estimates = analysed(record, "capacities", "").and_then(Value::as_array);
    let mut found: Vec<FoundAndTrue> = estimates
        .into_iter()
        .flatten()
        // A knee is where the curve bends, which is before its end.
        .filter(|it| it.get("method").and_then(Value::as_str) != Some("kneedle"))
        .filter_map(|it| {
            let method = it.get("method")?.as_str()?;
            let per_s = it.get("throughput_per_s")?.as_f64()?;
            let beyond = it.get("extrapolated_beyond").is_some_and(|it| !it.is_null());
            let mark = if beyond { ", extrapolated" } else { "" };
            let what = format!("capacity_per_s by {method}{mark}");
            Some(numbers(&what, per_s, interval(it.get("interval")), true_per_s, CAPACITY))
        })
        .collect();
    let highest = analysed(record, "capacity", "/highest_throughput_per_s").and_then(Value::as_f64);
    if let Some(highest) = highest {
        found.push(numbers(
            "capacity_per_s by the highest step",
            highest,
            None,
            true_per_s,
            CAPACITY,
        ));
    }
    found
}

fn bottleneck(record: &TestRecord, truth: &Value) -> Option<FoundAndTrue> {
    let found = analysed(record, "bottleneck", "")?;
    let known = truth.get("bottleneck").filter(|it| !it.is_null())?;
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).map(str::to_owned);
    let shown = |of: &Value| json!({ "class": text(of, "class"), "of": text(of, "of"), "resource": text(of, "resource") });
    let same = text(found, "class") == text(known, "class")
        && (text(found, "of").is_none() || text(found, "of") == text(known, "of"));
    Some(FoundAndTrue {
        what: "bottleneck".to_owned(),
        found: shown(found),
        interval: None,
        truth: shown(known),
        tolerance: None,
        agrees: Some(same),
    })
}

/// The knee is between the steps around the estimate.
fn knee(record: &TestRecord, truth: &Value) -> Option<FoundAndTrue> {
    let class = truth.get("classes")?.get(0)?;
    let known = figure(class.get("knee_users"))?;
    let found = analysed(record, "knee", "/users")?.as_f64()?;
    let steps = analysed(record, "ladder", "/steps").and_then(Value::as_array);
    let users: Vec<f64> = steps
        .into_iter()
        .flatten()
        .filter_map(|it| it.get("users")?.as_f64())
        .collect();
    let below = users
        .iter()
        .copied()
        .filter(|it| *it < found)
        .reduce(f64::max);
    let above = users
        .iter()
        .copied()
        .filter(|it| *it > found)
        .reduce(f64::min);
    let around = [below.unwrap_or(found), above.unwrap_or(found)];
    Some(numbers("knee_users", found, Some(around), known, CAPACITY))
}

/// The crossing of the asymptotes, which is how the truth defines the knee.
fn crossing(record: &TestRecord, truth: &Value) -> Option<FoundAndTrue> {
    let known = figure(truth.pointer("/classes/0/knee_users"))?;
    let found = analysed(record, "knee_by_bounds", "")?;
    let users = found.get("users")?.as_f64()?;
    let what = "knee_users by asymptotic bounds";
    Some(numbers(
        what,
        users,
        interval(found.get("interval")),
        known,
        CAPACITY,
    ))
}

/// The coefficients of the scalability law, if the truth states them.
fn coefficients(record: &TestRecord, truth: &Value) -> Vec<FoundAndTrue> {
    let pairs = [("sigma", "/alpha"), ("kappa", "/beta")];
    let of = |(name, path): &(&str, &str)| {
        let known = figure(truth.pointer(&format!("/usl/{name}")))?;
        let found = analysed(record, "usl", path)?;
        let estimate = found.get("estimate")?.as_f64()?;
        Some(numbers(
            name,
            estimate,
            interval(found.get("interval")),
            known,
            0.0,
        ))
    };
    pairs.iter().filter_map(of).collect()
}

/// Slope and time to the limit of the memory of each leaking host.
fn leaks(record: &TestRecord, truth: &Value) -> Vec<FoundAndTrue> {
    let series = analysed(record, "soak", "").and_then(Value::as_array);
    let Some(series) = series else {
        return Vec::new();
    };
    let hosts = truth.get("memory").and_then(Value::as_array);
    let mut found = Vec::new();
    for host in hosts.into_iter().flatten() {
        let Some(name) = host.get("host").and_then(Value::as_str) else {
            continue;
        };
        let wanted = format!("memory of {name}");
        let own = series
            .iter()
            .find(|it| it.get("series").and_then(Value::as_str) == Some(wanted.as_str()));
        let Some(own) = own else { continue };
        // The truth is per instance, the sample covers all instances.
        let instances = instances(record, name);
        let slope = own
            .get("slope_per_s")
            .and_then(Value::as_f64)
            .map(|it| it / instances);
        let around = interval(own.get("interval")).map(|ends| ends.map(|it| it / instances));
        let leak = figure(host.get("leak_mb_per_s")).map(|mb| mb * BYTES_PER_MB);
        if let Some((slope, leak)) = slope.zip(leak) {
            let what = format!("leak_bytes_per_s of {name}");
            found.push(numbers(&what, slope, around, leak, SLOPE));
        }
        let end = own
            .pointer("/time_to_limit_s/expected")
            .and_then(Value::as_f64);
        let known = figure(host.get("time_to_limit_s"));
        if let Some((end, known)) = end.zip(known) {
            // The truth counts from the start of the test, the soak from the end of its level.
            let what = format!("time_to_limit_s of {name}");
            found.push(numbers(
                &what,
                end + held_until_s(record),
                None,
                known,
                SLOPE,
            ));
        }
    }
    found
}

/// The end of the last level that was held; the test may wait for idle users after it.
fn held_until_s(record: &TestRecord) -> f64 {
    let held = record
        .phases
        .iter()
        .filter(|phase| phase.kind == PhaseKind::Steady);
    let last = held.map(|phase| phase.end_s).reduce(f64::max);
    last.unwrap_or(record.duration_s)
}

/// The mean number of running instances of a host; 1 if unknown.
fn instances(record: &TestRecord, host: &str) -> f64 {
    let samples = record.observed.target.iter();
    let own = samples.filter(|it| it.host.as_deref() == Some(host));
    let up: Vec<f64> = own
        .filter_map(|it| it.other.get("instances_up").copied())
        .collect();
    super::figure::mean_value(&up)
        .filter(|it| *it > 0.0)
        .unwrap_or(1.0)
}

fn hit_ratio(record: &TestRecord, truth: &Value) -> Option<FoundAndTrue> {
    let samples = record.observed.target.iter();
    let ratios: Vec<f64> = samples
        .filter_map(|it| it.other.get("cache_hit_ratio").copied())
        .collect();
    let known = figure(truth.get("caches")?.get(0)?.get("hit_ratio"))?;
    // A cache is cold at first: the second half is its steady state.
    let late = ratios.get(ratios.len() / 2..).filter(|it| !it.is_empty())?;
    let found = late.iter().sum::<f64>() / late.len() as f64;
    Some(FoundAndTrue {
        tolerance: Some(HIT_RATIO),
        agrees: Some((found - known).abs() <= HIT_RATIO),
        ..numbers("hit_ratio", found, None, known, 0.0)
    })
}

/// Throughput and mean response time at the load of the truth.
fn at_load(record: &TestRecord, truth: &Value) -> Vec<FoundAndTrue> {
    // A truth covers one mix of users at one level.
    let other = [TestContent::Ladder, TestContent::Search].contains(&record.content)
        || record.classes.len() > 1;
    let load = truth.get("load").filter(|it| !it.is_null() && !other);
    let Some(load) = load else {
        return Vec::new();
    };
    // The truth is for the highest level.
    let steady = record
        .phases
        .iter()
        .filter(|it| it.kind == PhaseKind::Steady && it.figures.requests > 0);
    let level = |it: &PhaseRecord| it.users.or(it.rate_per_s).unwrap_or(0.0);
    let steady = steady.max_by(|a, b| level(a).total_cmp(&level(b)));
    let figures = steady.map_or(&record.figures, |it| &it.figures);
    let mut found = Vec::new();
    let throughput = figures
        .successes_per_s()
        .zip(figure(load.get("throughput_per_s")));
    if let Some((measured, known)) = throughput {
        found.push(numbers("throughput_per_s", measured, None, known, CAPACITY));
    }
    let response = figures
        .latency
        .as_ref()
        .map(|it| it.mean)
        .zip(figure(load.get("response_ms")));
    if let Some((measured, known)) = response {
        found.push(numbers("response_ms", measured, None, known, MEAN_RESPONSE));
    }
    found
}
