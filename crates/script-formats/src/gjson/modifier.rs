//! `@name` and `@name:argument`: modifiers of a value.

use serde_json::{Map, Value};

use super::{Joint, Rest, Walk, enclosed, split};

const NAMES: [&str; 13] = [
    "this", "valid", "ugly", "pretty", "reverse", "keys", "values", "flatten", "join", "tostr",
    "fromstr", "group", "dig",
];

/// Whether a path begins with a known modifier; otherwise it is an ordinary name.
pub(super) fn is_known(path: &str) -> bool {
    let name = path[1..].split(['.', '|', ':']).next().unwrap_or("");
    NAMES.contains(&name)
}

/// Name, argument and rest.
pub(super) fn split_name(path: &str) -> (&str, &str) {
    let end = path.find(['.', '|', ':']).unwrap_or(path.len());
    path.split_at(end)
}

/// Splits a modifier into name, argument and rest. An argument in brackets or quotes ends with them, any other
/// at the next bar.
pub(super) fn split_all(path: &str) -> (&str, &str, Rest<'_>) {
    let (name, rest) = split_name(&path[1..]);
    let Some(argument) = rest.strip_prefix(':') else {
        let (_, rest) = split(&path[1..]);
        return (name, "", rest);
    };
    if let Some((inside, after)) = enclosed(argument) {
        let length = inside.len() + 2;
        return (name, &argument[..length], follow(after));
    }
    match argument.split_once('|') {
        Some((argument, rest)) => (name, argument, Some((Joint::Bar, rest))),
        None => (name, argument, None),
    }
}

fn follow(after: &str) -> Rest<'_> {
    match after.as_bytes().first() {
        Some(b'.') => Some((Joint::Dot, &after[1..])),
        Some(b'|') => Some((Joint::Bar, &after[1..])),
        _ => None,
    }
}

impl Walk {
    pub(super) fn modify(
        &mut self,
        value: &Value,
        name: &str,
        argument: &str,
        depth: u32,
    ) -> Option<Value> {
        let has = |option: &str| {
            let options: Option<Value> = serde_json::from_str(argument).ok();
            options.is_some_and(|options| options[option] == Value::Bool(true))
        };
        Some(match (name, value) {
            ("this" | "valid" | "ugly" | "pretty", value) => value.clone(),
            ("reverse", Value::Array(items)) => Value::Array(items.iter().rev().cloned().collect()),
            ("reverse", Value::Object(map)) => {
                let reversed = map.iter().rev().map(|(k, v)| (k.clone(), v.clone()));
                Value::Object(reversed.collect())
            }
            ("reverse", other) => other.clone(),
            ("keys", Value::Object(map)) => {
                Value::Array(map.keys().cloned().map(Value::String).collect())
            }
            ("values", Value::Object(map)) => Value::Array(map.values().cloned().collect()),
            ("values", Value::Array(_)) => value.clone(),
            ("keys" | "values", _) => Value::Array(Vec::new()),
            ("flatten", Value::Array(items)) => {
                let mut flat = Vec::new();
                flatten(items, has("deep"), &mut flat);
                Value::Array(flat)
            }
            ("flatten" | "join", other) if !other.is_array() => other.clone(),
            ("join", Value::Array(items)) => {
                let objects = items.iter().filter_map(Value::as_object);
                let pairs = objects.flatten().map(|(k, v)| (k.clone(), v.clone()));
                Value::Object(pairs.collect())
            }
            ("tostr", value) => Value::String(value.to_string()),
            ("fromstr", Value::String(text)) => serde_json::from_str(text).ok()?,
            ("group", Value::Object(map)) => Value::Array(group(map)),
            ("dig", value) => {
                let mut found = Vec::new();
                self.dig(value, argument, depth, &mut found);
                Value::Array(found)
            }
            _ => return None,
        })
    }

    /// The values at the path from anywhere in the value.
    fn dig(&mut self, value: &Value, path: &str, depth: u32, found: &mut Vec<Value>) {
        found.extend(self.walk(value, path, depth));
        let Some(deeper) = depth.checked_sub(1) else {
            return;
        };
        match value {
            Value::Array(items) => {
                for item in items {
                    self.dig(item, path, deeper, found);
                }
            }
            Value::Object(map) => {
                for item in map.values() {
                    self.dig(item, path, deeper, found);
                }
            }
            _ => {}
        }
    }
}

/// The document's own depth is bounded by its parser.
fn flatten(items: &[Value], is_deep: bool, flat: &mut Vec<Value>) {
    for item in items {
        match item {
            Value::Array(inner) if is_deep => flatten(inner, true, flat),
            Value::Array(inner) => flat.extend(inner.iter().cloned()),
            other => flat.push(other.clone()),
        }
    }
}

/// Converts lists by name to a list of objects.
fn group(map: &Map<String, Value>) -> Vec<Value> {
    let mut rows: Vec<Map<String, Value>> = Vec::new();
    for (name, values) in map {
        for (index, value) in values.as_array().into_iter().flatten().enumerate() {
            if rows.len() <= index {
                rows.push(Map::new());
            }
            rows[index].insert(name.clone(), value.clone());
        }
    }
    rows.into_iter().map(Value::Object).collect()
}
