//! The argument of `handleSummary`.

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::{Check, Group, MetricView, Summary};

/// The output streams of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal {
    /// Whether standard output is a terminal.
    pub stdout: bool,
    /// Whether standard error is one.
    pub stderr: bool,
    /// Whether colours are disabled.
    pub no_color: bool,
}

/// The summary as the argument of `handleSummary(data)`.
pub fn to_data(summary: &Summary, terminal: Terminal) -> Value {
    let metrics = summary
        .metrics
        .iter()
        .map(|metric| (metric.name.clone(), write_metric(metric)));
    let mut data = json!({
        "root_group": write_group(&summary.root),
        "options": {
            "summaryTrendStats": summary.stats,
            "summaryTimeUnit": summary.time_unit,
            "noColor": terminal.no_color,
        },
        "state": {
            "isStdOutTTY": terminal.stdout,
            "isStdErrTTY": terminal.stderr,
            "testRunDurationMs": summary.run_time.as_secs_f64() * 1e3,
        },
        "metrics": metrics.collect::<Map<String, Value>>(),
    });
    let setup = summary
        .setup_data
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    if let (Some(setup), Value::Object(map)) = (setup, &mut data) {
        map.insert("setup_data".to_owned(), setup);
    }
    data
}

fn write_metric(metric: &MetricView) -> Value {
    let values = metric
        .values
        .iter()
        .map(|(name, value)| (name.clone(), number(*value)));
    let mut out = json!({
        "type": metric.kind.to_string(),
        "contains": metric.contains.to_string(),
        "values": values.collect::<Map<String, Value>>(),
    });
    if let (false, Value::Object(map)) = (metric.thresholds.is_empty(), &mut out) {
        let rules = metric
            .thresholds
            .iter()
            .map(|t| (t.text.clone(), json!({"ok": t.ok})));
        map.insert("thresholds".to_owned(), Value::Object(rules.collect()));
    }
    out
}

fn write_group(group: &Group) -> Value {
    json!({
        "name": group.name,
        "path": group.path,
        "id": path_id(&group.path),
        "groups": group.groups.iter().map(write_group).collect::<Value>(),
        "checks": group.checks.iter().map(write_check).collect::<Value>(),
    })
}

fn write_check(check: &Check) -> Value {
    json!({
        "name": check.name,
        "path": check.path,
        "id": path_id(&check.path),
        "passes": check.passes,
        "fails": check.fails,
    })
}

/// The identifier of a group or check: the MD5 of its path in hexadecimal digits.
pub fn path_id(path: &str) -> String {
    Md5::digest(path.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A number, whole if it is one: as JavaScript writes it.
pub(super) fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        json!(value as i64)
    } else {
        json!(value)
    }
}
