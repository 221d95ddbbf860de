//! The summary's export.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Gauges and counters that depend on the speed of a run, or on headers of the driver.
const BY_CHANCE: [&str; 4] = ["vus", "vus_max", "data_sent", "data_received"];

/// Metrics with their constant values, and groups with their checks.
pub fn read(export: &Value) -> (Vec<String>, Vec<String>) {
    let empty = Map::new();
    let metrics = export["metrics"].as_object().unwrap_or(&empty);
    let mut lines: Vec<String> = metrics
        .iter()
        .filter(|(name, _)| !name.starts_with("vus"))
        .map(|(name, metric)| {
            let by_chance = BY_CHANCE.contains(&name.split('{').next().unwrap_or_default());
            metric_line(name, metric, by_chance)
        })
        .collect();
    lines.sort();
    let keys: BTreeSet<&String> = export.as_object().unwrap_or(&empty).keys().collect();
    lines.push(format!("keys: {keys:?}"));
    // A value that a script has added.
    for key in keys {
        let is_usual = ["metrics", "root_group"].contains(&key.as_str()) && export[key].is_object();
        if !is_usual {
            // A response in the data of `setup` has times and a date.
            let has_values = key != "setup_data";
            lines.push(format!("{key}: {}", sorted(&export[key], has_values)));
        }
    }
    let mut checks = Vec::new();
    read_group(&export["root_group"], &mut checks);
    checks.sort();
    (lines, checks)
}

/// JSON with sorted keys, since the order of Go's maps varies; without values only their types.
fn sorted(value: &Value, has_values: bool) -> String {
    let join = |parts: Vec<String>| parts.join(",");
    match value {
        Value::Object(map) => {
            let map: BTreeMap<&String, &Value> = map.iter().collect();
            let part = |(key, value)| format!("{key:?}:{}", sorted(value, has_values));
            format!("{{{}}}", join(map.into_iter().map(part).collect()))
        }
        Value::Array(items) => {
            let part = |item| sorted(item, has_values);
            format!("[{}]", join(items.iter().map(part).collect()))
        }
        other if has_values => other.to_string(),
        Value::String(_) => "text".to_owned(),
        Value::Number(_) => "number".to_owned(),
        other => other.to_string(),
    }
}

fn metric_line(name: &str, metric: &Value, by_chance: bool) -> String {
    let empty = Map::new();
    let mut keys = metric.as_object().unwrap_or(&empty).keys();
    let is_trend = keys.any(|key| ["avg", "med"].contains(&key.as_str()) || key.starts_with("p("));
    let values = metric.as_object().unwrap_or(&empty).iter();
    let mut values: Vec<String> = values
        .map(|(key, value)| {
            let steady = !is_trend && key != "rate" && !by_chance;
            match key.as_str() {
                "thresholds" => {
                    let sorted: Option<BTreeMap<_, _>> =
                        value.as_object().map(|map| map.iter().collect());
                    format!("thresholds={:?}", sorted.unwrap_or_default())
                }
                _ if steady => match value.as_f64() {
                    Some(number) => format!("{key}={number}"),
                    None => format!("{key}={value}"),
                },
                _ => key.clone(),
            }
        })
        .collect();
    values.sort();
    format!("{name}: {}", values.join(" "))
}

fn read_group(group: &Value, lines: &mut Vec<String>) {
    lines.push(format!(
        "group {} {} {}",
        group["name"], group["path"], group["id"]
    ));
    let members = |key: &str| {
        let inner = group[key].as_object();
        inner.into_iter().flat_map(Map::values).cloned()
    };
    let names = |key: &str| {
        group[key]
            .as_object()
            .map(|map| map.keys().collect::<BTreeSet<_>>())
    };
    lines.push(format!("{:?} {:?}", names("checks"), names("groups")));
    for check in members("checks") {
        let (path, id) = (&check["path"], &check["id"]);
        lines.push(format!(
            "{path} {id} {} {}",
            check["passes"], check["fails"]
        ));
    }
    for inner in members("groups") {
        read_group(&inner, lines);
    }
}
