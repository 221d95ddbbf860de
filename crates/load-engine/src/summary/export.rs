//! The file that `--summary-export` writes: an older layout of the same data.

use serde_json::{Map, Value, json};

use super::data::{flat_name, number, path_id, write_check};
use super::{Group, MetricView, Summary};

/// The summary in the layout of `--summary-export`. A threshold's `true` means that it failed.
pub fn to_export(summary: &Summary) -> Value {
    let metrics = summary
        .metrics
        .iter()
        .map(|metric| (metric.name.clone(), write_metric(metric)));
    let mut out = json!({
        "root_group": write_group(&summary.root),
        "metrics": metrics.collect::<Map<String, Value>>(),
    });
    let setup = summary
        .setup_data
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    if let (Some(setup), Value::Object(map)) = (setup, &mut out) {
        map.insert("setup_data".to_owned(), setup);
    }
    out
}

fn write_metric(metric: &MetricView) -> Value {
    let values = metric.values.iter();
    let values =
        values.map(|(name, value)| (flat_name(metric.kind, name).to_owned(), number(*value)));
    let mut out: Map<String, Value> = values.collect();
    if !metric.thresholds.is_empty() {
        let rules = metric
            .thresholds
            .iter()
            .map(|rule| (rule.text.clone(), Value::Bool(!rule.ok)));
        out.insert("thresholds".to_owned(), Value::Object(rules.collect()));
    }
    Value::Object(out)
}

fn write_group(group: &Group) -> Value {
    let groups = group
        .groups
        .iter()
        .map(|inner| (inner.name.clone(), write_group(inner)));
    let checks = group
        .checks
        .iter()
        .map(|check| (check.name.clone(), write_check(check)));
    json!({
        "name": group.name,
        "path": group.path,
        "id": path_id(&group.path),
        "groups": groups.collect::<Map<String, Value>>(),
        "checks": checks.collect::<Map<String, Value>>(),
    })
}
