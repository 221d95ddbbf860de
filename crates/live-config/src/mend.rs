//! Repairs of a value at the place of an error, so that the errors of its other places are found too.
//!
//! An invalid part retains its name and its place in a list: a missing part would cause errors wherever it is
//! named, and would shift later elements.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::read::{Problem, read};

/// A text that most types of text accept.
const TEXT: &str = "http://placeholder:1/";

/// Changes `value` so that this error does not recur. False if that is impossible.
pub(crate) fn mend<T: DeserializeOwned>(
    value: &mut Value,
    problem: &Problem,
    place: &[String],
) -> bool {
    match problem {
        Problem::Missing { parent, field } => fill_in::<T>(value, parent, field, place),
        Problem::Unknown { .. } => remove(value, place),
        Problem::Invalid { .. } => replace::<T>(value, place),
    }
}

/// Inserts a placeholder for a missing required field.
fn fill_in<T: DeserializeOwned>(
    value: &mut Value,
    parent: &[String],
    field: &str,
    place: &[String],
) -> bool {
    let can_be_filled = match find(value, parent) {
        Some(Value::Object(object)) if !object.contains_key(field) => {
            object.insert(field.to_owned(), Value::Null);
            true
        }
        _ => false,
    };
    (can_be_filled && put_placeholder::<T>(value, place)) || remove(value, parent)
}

/// Replaces an invalid part by a valid one, or removes it if it may be absent.
fn replace<T: DeserializeOwned>(value: &mut Value, place: &[String]) -> bool {
    let Some((_, parent)) = place.split_last() else {
        return remove(value, place);
    };
    if matches!(find(value, parent), Some(Value::Array(_))) {
        return put_placeholder::<T>(value, place) || remove(value, place);
    }
    let Some(found) = find(value, place) else {
        return remove(value, place);
    };
    // A part with a name keeps it, since other parts may name it.
    let before = found.take();
    if !before.is_object() && put::<T>(value, place, json!({}), Accept::Deeper) {
        return true;
    }
    remove(value, place);
    let Err(next) = read::<T>(value) else {
        return true;
    };
    if next.place() != parent || matches!(next, Problem::Unknown { .. }) {
        return true;
    }
    // Without this part, the error concerns the part around it.
    if let Some(Value::Object(object)) = find(value, parent)
        && let Some(last) = place.last()
    {
        object.insert(last.clone(), before);
    }
    put_placeholder::<T>(value, place) || remove(value, place)
}

/// The result of trying a placeholder.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Accept {
    /// The placeholder is valid.
    Sound,
    /// Something inside it is invalid, and is repaired next.
    Deeper,
}

/// Puts the first value at `place` that its type accepts.
fn put_placeholder<T: DeserializeOwned>(value: &mut Value, place: &[String]) -> bool {
    let plain = [json!(1), json!(TEXT), json!({}), json!([]), json!(true)];
    let mut names = Vec::new();
    for candidate in plain {
        if put::<T>(value, place, candidate, Accept::Sound) {
            return true;
        }
        if let Err(Problem::Invalid { known, .. }) = read::<T>(value) {
            names.extend(known);
        }
    }
    for name in &names {
        let inside = [json!(1), json!(TEXT), json!({}), json!([])];
        let variants = inside.map(|inner| Value::Object(Map::from_iter([(name.clone(), inner)])));
        for candidate in [json!(name)].into_iter().chain(variants) {
            if put::<T>(value, place, candidate, Accept::Sound) {
                return true;
            }
        }
    }
    put::<T>(value, place, json!({}), Accept::Deeper)
}

/// Puts `candidate` at `place`; false if its type does not accept it.
fn put<T: DeserializeOwned>(
    value: &mut Value,
    place: &[String],
    candidate: Value,
    accept: Accept,
) -> bool {
    let Some(found) = find(value, place) else {
        return false;
    };
    *found = candidate;
    match read::<T>(value) {
        Ok(_) => true,
        Err(next) => {
            let next = next.place();
            let is_inside = next.starts_with(place);
            let is_above = place.starts_with(&next);
            match accept {
                Accept::Sound => !is_inside && !is_above,
                Accept::Deeper => !is_above,
            }
        }
    }
}

pub(crate) fn find<'a>(value: &'a mut Value, place: &[String]) -> Option<&'a mut Value> {
    place.iter().try_fold(value, |value, step| match value {
        Value::Object(object) => object.get_mut(step),
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Removes the value at `place`, or the nearest existing container of it.
fn remove(value: &mut Value, place: &[String]) -> bool {
    let Some((last, parent)) = place.split_last() else {
        let was_empty = value.as_object().is_some_and(Map::is_empty);
        *value = json!({});
        return !was_empty;
    };
    match find(value, parent) {
        Some(Value::Object(object)) if object.contains_key(last) => {
            object.shift_remove(last);
            true
        }
        Some(Value::Array(items)) => match last.parse::<usize>() {
            Ok(index) if index < items.len() => {
                items.remove(index);
                true
            }
            _ => remove(value, parent),
        },
        _ => remove(value, parent),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::read::repair;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parts {
        #[serde(default)]
        named: BTreeMap<String, Part>,
        #[serde(default)]
        steps: Vec<Step>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by the derived code")]
    struct Part {
        kind: Kind,
        size: u8,
        step: Option<Step>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Small,
        Large,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only read by the derived code")]
    enum Step {
        Wait { ms: u64, kind: Kind },
        Call(String),
    }

    /// The paths of the errors, and the remaining parts: names, and the number of steps.
    fn check(value: Value, paths: &[&str], names: &[&str], steps: usize) {
        let reading = repair::<Parts>(value);
        let found: Vec<&str> = reading.errors.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(found, paths, "{:?}", reading.errors);
        let parts = reading.value.expect("a repaired value");
        assert_eq!(parts.named.keys().collect::<Vec<_>>(), names);
        assert_eq!(parts.steps.len(), steps);
    }

    #[test]
    fn what_is_wrong_keeps_its_name_and_its_place() {
        check(
            json!({ "named": {
                "a": { "kind": "smal", "size": 300 },
                "b": 5,
                "c": { "size": "x" },
                "d": { "kind": "small", "size": 1, "step": { "call": 5 } },
                "e": { "kind": [], "size": 1, "step": { "wait": { "ms": -1, "kind": "none" } } },
            } }),
            &[
                "named.a.kind",
                "named.a.size",
                "named.b",
                "named.c.size",
                "named.c.kind",
                "named.d.step.call",
                "named.e.kind",
                "named.e.step.wait.ms",
                "named.e.step.wait.kind",
            ],
            &["a", "b", "c", "d", "e"],
            0,
        );
        check(
            json!({ "steps": [7, { "cal": "a" }, { "call": "b" }, { "call": [] }, { "wait": {} }, {}] }),
            &[
                "steps[0]",
                "steps[1]",
                "steps[3].call",
                "steps[4].wait.ms",
                "steps[4].wait.kind",
                "steps[5]",
            ],
            &[],
            6,
        );
    }
}
