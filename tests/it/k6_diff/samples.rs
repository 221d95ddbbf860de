//! The JSON output: one declaration per metric, one line per sample.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// Metrics sampled by time, independent of the script.
const BY_TIME: [&str; 2] = ["vus", "vus_max"];

/// Counters whose values depend on headers of the driver.
const BY_CHANCE: [&str; 2] = ["data_sent", "data_received"];

/// A declaration with sorted sub-metrics, whose order varies in k6.
fn declaration(line: &Value) -> String {
    let mut line = line.clone();
    if let Some(inner) = line["data"]["submetrics"].as_array_mut() {
        inner.sort_by_key(Value::to_string);
    }
    line.to_string()
}

/// The declarations, sorted, and each series with its number of samples.
pub fn read(text: &str) -> (Vec<String>, Vec<String>) {
    let mut declarations = Vec::new();
    let mut kinds: HashMap<String, String> = HashMap::new();
    let mut series: BTreeMap<String, usize> = BTreeMap::new();
    for line in text.lines() {
        let Ok(sample) = serde_json::from_str::<Value>(line) else {
            declarations.push(format!("not JSON: {line}"));
            continue;
        };
        let name = sample["metric"].as_str().unwrap_or_default();
        if BY_TIME.contains(&name) {
            continue;
        }
        let data = &sample["data"];
        if sample["type"] == "Metric" {
            declarations.push(declaration(&sample));
            let kind = data["type"].as_str().unwrap_or_default();
            kinds.insert(name.to_owned(), kind.to_owned());
            continue;
        }
        let empty = serde_json::Map::new();
        let tags: BTreeMap<_, _> = data["tags"].as_object().unwrap_or(&empty).iter().collect();
        let is_trend = kinds.get(name).is_some_and(|kind| kind == "trend");
        let mut shown = format!("{name} {tags:?}");
        if !is_trend && !BY_CHANCE.contains(&name) {
            shown += &format!(" {}", data["value"]);
        }
        if let Some(metadata) = data["metadata"].as_object() {
            let metadata: BTreeMap<_, _> = metadata.iter().collect();
            shown += &format!(" {metadata:?}");
        }
        *series.entry(shown).or_default() += 1;
    }
    declarations.sort();
    let counted = series
        .into_iter()
        .map(|(series, count)| format!("{count} × {series}"));
    (declarations, counted.collect())
}
