//! The file that `--summary-export` writes: an older layout of the data of `handleSummary`, as the function left it.
//!
//! k6 makes it with a script of its own from that data after a round trip through JSON. So everything that the
//! function adds, changes and deletes has an effect, and data that the script cannot traverse causes its exception.

use serde_json::{Map, Value};

/// Data of `handleSummary` in the layout of `--summary-export`. A threshold's `true` means that it failed.
///
/// # Errors
/// The exception of k6, for data whose shape has been changed.
pub fn to_export(data: Value) -> Result<Value, String> {
    let mut map = match data {
        Value::Object(map) => map,
        Value::Null => return Err(NOTHING_TO_CONVERT.to_owned()),
        other => return Ok(other),
    };
    map.shift_remove("options");
    map.shift_remove("state");
    match map.get_mut("metrics") {
        Some(Value::Object(metrics)) => {
            for (name, metric) in std::mem::take(metrics) {
                if let Some(metric) = metric_of(metric)? {
                    metrics.insert(name, metric);
                }
            }
        }
        Some(Value::Array(metrics)) => {
            for metric in metrics {
                *metric = metric_of(metric.take())?.unwrap_or_default();
            }
        }
        _ => {}
    }
    match map.get_mut("root_group") {
        Some(root) => write_group(root)?,
        None => return Err(nothing_read("groups")),
    }
    Ok(Value::Object(map))
}

const NOTHING_TO_CONVERT: &str = "TypeError: Cannot convert undefined or null to object";

fn nothing_read(name: &str) -> String {
    format!("TypeError: Cannot read property '{name}' of undefined")
}

/// The values of a metric, with its thresholds among them; `None` when it has none.
fn metric_of(metric: Value) -> Result<Option<Value>, String> {
    let mut metric = match metric {
        Value::Object(metric) => metric,
        Value::Null => return Err(nothing_read("values")),
        _ => return Ok(None),
    };
    let mut values = metric.shift_remove("values");
    let thresholds = metric.get("thresholds").map(entries).unwrap_or_default();
    if !thresholds.is_empty() {
        let mut failed = Map::new();
        for (name, threshold) in thresholds {
            if threshold.is_null() {
                return Err(nothing_read("ok"));
            }
            let is_ok = threshold.get("ok").is_some_and(is_truthy);
            failed.insert(name, Value::Bool(!is_ok));
        }
        match &mut values {
            Some(Value::Object(values)) => {
                values.insert("thresholds".to_owned(), Value::Object(failed));
            }
            Some(Value::Array(_)) => {}
            _ => return Err(NOTHING_TO_CONVERT.to_owned()),
        }
    }
    if metric.get("type").and_then(Value::as_str) == Some("rate") {
        match &mut values {
            Some(Value::Object(values)) => {
                if let Some(rate) = values.shift_remove("rate") {
                    values.insert("value".to_owned(), rate);
                }
            }
            None | Some(Value::Null) => return Err(nothing_read("hasOwnProperty") + " or null"),
            Some(_) => {}
        }
    }
    Ok(values)
}

/// The lists of groups and of checks become objects by name.
fn write_group(group: &mut Value) -> Result<(), String> {
    let group = match group {
        Value::Object(group) => group,
        Value::Null => return Err(nothing_read("groups")),
        _ => return Ok(()),
    };
    for (list, nests) in [("groups", true), ("checks", false)] {
        let Some(members) = group.get_mut(list) else {
            continue;
        };
        let Value::Array(listed) = members else {
            continue;
        };
        let mut by_name = Map::new();
        for mut member in std::mem::take(listed) {
            let name = name_of(&member)?;
            if nests {
                write_group(&mut member)?;
            }
            by_name.insert(name, member);
        }
        *members = Value::Object(by_name);
    }
    Ok(())
}

fn name_of(member: &Value) -> Result<String, String> {
    match member.get("name") {
        _ if member.is_null() => Err(nothing_read("name")),
        Some(Value::String(name)) => Ok(name.clone()),
        Some(other) => Ok(other.to_string()),
        None => Ok("undefined".to_owned()),
    }
}

/// The entries of a loop over the keys of this value.
fn entries(value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        Value::Array(list) => numbered(list.iter().cloned()),
        Value::String(text) => numbered(text.chars().map(|c| Value::String(c.into()))),
        _ => Vec::new(),
    }
}

fn numbered(values: impl Iterator<Item = Value>) -> Vec<(String, Value)> {
    let numbers = (0..).map(|number: usize| number.to_string());
    numbers.zip(values).collect()
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn data() -> Value {
        json!({
            "root_group": {"name": "", "path": "", "groups": [
                {"name": "g", "groups": [], "checks": [{"name": "bad", "passes": 0}]},
            ], "checks": [{"name": "ok", "passes": 2}]},
            "options": {"noColor": true},
            "state": {},
            "metrics": {
                "mine": {"type": "counter", "values": {"count": 2}, "thresholds": {"count>0": {"ok": true}}},
                "share": {"type": "rate", "values": {"rate": 0.5, "passes": 1}},
            },
        })
    }

    #[test]
    fn the_export_is_flat_and_by_name() {
        let expected = json!({
            "root_group": {"name": "", "path": "", "groups": {
                "g": {"name": "g", "groups": {}, "checks": {"bad": {"name": "bad", "passes": 0}}},
            }, "checks": {"ok": {"name": "ok", "passes": 2}}},
            "metrics": {
                "mine": {"count": 2, "thresholds": {"count>0": false}},
                "share": {"passes": 1, "value": 0.5},
            },
        });
        assert_eq!(to_export(data()), Ok(expected));
    }

    /// Each of these was observed with k6 1.1.
    #[test]
    fn what_was_changed_is_exported_and_what_was_broken_is_an_exception() {
        let exported = |at: &str, value: Value| {
            let mut data = data();
            *data.pointer_mut(at).expect("it is there") = value;
            to_export(data)
        };
        let at = |at: &str, value: Value, seen: &str| {
            let exported = exported(at, value).expect("it can be exported");
            exported.pointer(seen).cloned().unwrap_or_default()
        };
        assert_eq!(at("/root_group", json!("text"), "/root_group"), "text");
        assert_eq!(at("/metrics", json!(4), "/metrics"), 4);
        assert_eq!(
            at("/metrics/mine/thresholds", json!("x"), "/metrics/mine"),
            json!({"count": 2, "thresholds": {"0": true}})
        );
        assert_eq!(
            at("/root_group/groups", json!([5]), "/root_group/groups"),
            json!({"undefined": 5})
        );
        let fails = |at: &str, value: Value, why: &str| {
            assert_eq!(
                exported(at, value),
                Err(format!("TypeError: {why}")),
                "{at}"
            );
        };
        let nothing = "Cannot convert undefined or null to object";
        fails(
            "/root_group",
            Value::Null,
            "Cannot read property 'groups' of undefined",
        );
        fails(
            "/root_group/checks/0",
            Value::Null,
            "Cannot read property 'name' of undefined",
        );
        fails(
            "/metrics/mine",
            Value::Null,
            "Cannot read property 'values' of undefined",
        );
        fails("/metrics/mine/values", Value::Null, nothing);
        fails("/metrics/mine/values", json!(7), nothing);
        fails(
            "/metrics/mine/thresholds/count>0",
            Value::Null,
            "Cannot read property 'ok' of undefined",
        );
        fails(
            "/metrics/share/values",
            Value::Null,
            "Cannot read property 'hasOwnProperty' of undefined or null",
        );
    }
}
