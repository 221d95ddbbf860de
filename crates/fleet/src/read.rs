//! Deserialising a value with every fault reported, not only the first.
//!
//! serde stops at the first error. [`from_value`] notes it, repairs the value at that place
//! (drops what is wrong, fills in what is missing) and tries again until the rest reads well.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::fault::{Fault, join};

/// More faults than this are not looked for; the reader has enough to do.
const MOST_FAULTS: usize = 100;

/// A value read as far as it could be, with what was wrong in it.
#[derive(Debug)]
pub struct Reading<T> {
    /// The value with faulty places dropped or filled in; `None` where nothing could be saved.
    pub value: Option<T>,
    pub faults: Vec<Fault>,
}

/// Reads `value` as a `T`.
///
/// # Errors
/// Every fault found, each with its path; unknown fields come with the nearest known name.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Vec<Fault>> {
    let reading = repair(value);
    match reading.value {
        Some(value) if reading.faults.is_empty() => Ok(value),
        _ => Err(reading.faults),
    }
}

/// Reads `value` as far as possible. Used where checks of the parsed value follow, so that
/// faults of form and of meaning are reported together.
pub fn repair<T: DeserializeOwned>(mut value: Value) -> Reading<T> {
    let mut faults = Vec::new();
    let mut repaired = BTreeSet::new();
    for _ in 0..MOST_FAULTS {
        let problem = match read::<T>(&value) {
            Ok(read) => {
                return Reading {
                    value: Some(read),
                    faults,
                };
            }
            Err(problem) => problem,
        };
        let place = problem.place();
        if repaired.insert(place.clone()) && !is_below(&repaired, &place) {
            faults.push(Fault::new(display(&place), problem.explain()));
        }
        if !mend::<T>(&mut value, &problem, &place) {
            break;
        }
    }
    Reading {
        value: None,
        faults,
    }
}

/// A place in a JSON document: object keys and array indexes from the root.
type Place = Vec<String>;

#[derive(Debug, PartialEq)]
enum Problem {
    Unknown {
        parent: Place,
        field: String,
        known: Vec<String>,
    },
    Missing {
        parent: Place,
        field: String,
    },
    Invalid {
        place: Place,
        message: String,
    },
}

impl Problem {
    fn place(&self) -> Place {
        match self {
            Self::Unknown { parent, field, .. } | Self::Missing { parent, field } => {
                let mut place = parent.clone();
                place.push(field.clone());
                place
            }
            Self::Invalid { place, .. } => place.clone(),
        }
    }

    fn explain(&self) -> String {
        match self {
            Self::Unknown { field, known, .. } => {
                let nearest = nearest(field, known.iter().map(String::as_str));
                match nearest {
                    Some(name) => format!("unknown field; did you mean `{name}`?"),
                    None if known.is_empty() => "unknown field; none is expected here".to_owned(),
                    None => format!("unknown field; known here: {}", known.join(", ")),
                }
            }
            Self::Missing { .. } => "is required and missing".to_owned(),
            Self::Invalid { message, .. } => message.clone(),
        }
    }
}

/// The candidate that `name` was probably meant to be.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let place: Place = error
            .path()
            .iter()
            .filter_map(|segment| match segment {
                serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
                serde_path_to_error::Segment::Map { key } => Some(key.clone()),
                serde_path_to_error::Segment::Enum { variant } => Some(variant.clone()),
                serde_path_to_error::Segment::Unknown => None,
            })
            .collect();
        classify(place, &error.into_inner().to_string())
    })
}

/// Tells serde's standard messages apart by their fixed wording.
fn classify(mut place: Place, message: &str) -> Problem {
    let quoted: Vec<String> = message
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    if message.starts_with("unknown field") || message.starts_with("unknown variant") {
        let mut names = quoted.into_iter();
        let field = names.next().unwrap_or_default();
        if message.starts_with("unknown variant") {
            let known: Vec<String> = names.collect();
            let hint = match nearest(&field, known.iter().map(String::as_str)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            if place.last() == Some(&field) {
                place.pop();
            }
            return Problem::Invalid {
                place,
                message: format!("unknown kind `{field}`; {hint}"),
            };
        }
        if place.last() == Some(&field) {
            place.pop();
        }
        return Problem::Unknown {
            parent: place,
            field,
            known: names.collect(),
        };
    }
    if message.starts_with("missing field") {
        let field = quoted.into_iter().next().unwrap_or_default();
        return Problem::Missing {
            parent: place,
            field,
        };
    }
    Problem::Invalid {
        place,
        message: message.to_owned(),
    }
}

/// Changes `value` so that this problem does not come again. False when nothing helps.
fn mend<T: DeserializeOwned>(value: &mut Value, problem: &Problem, place: &[String]) -> bool {
    match problem {
        Problem::Missing { parent, field } => fill_in::<T>(value, parent, field, place),
        Problem::Unknown { .. } | Problem::Invalid { .. } => remove(value, place),
    }
}

/// Puts a placeholder where a required field is missing, so that its siblings are checked too.
fn fill_in<T: DeserializeOwned>(
    value: &mut Value,
    parent: &[String],
    field: &str,
    place: &[String],
) -> bool {
    let Some(Value::Object(object)) = find(value, parent) else {
        return remove(value, parent);
    };
    if object.contains_key(field) {
        return remove(value, parent);
    }
    for candidate in [
        json!(1),
        json!("http://placeholder:1/"),
        json!({}),
        json!([]),
        json!(true),
    ] {
        if let Some(Value::Object(object)) = find(value, parent) {
            object.insert(field.to_owned(), candidate);
        }
        match read::<T>(value) {
            Err(next) if next.place().starts_with(place) => {}
            _ => return true,
        }
    }
    remove(value, parent)
}

fn find<'a>(value: &'a mut Value, place: &[String]) -> Option<&'a mut Value> {
    place.iter().try_fold(value, |value, step| match value {
        Value::Object(object) => object.get_mut(step),
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Takes out the value at `place`, or the nearest thing around it that exists.
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

/// Whether something around `place` was repaired before, so that this is only a consequence.
fn is_below(repaired: &BTreeSet<Place>, place: &[String]) -> bool {
    (1..place.len()).any(|length| repaired.contains(&place[..length]))
}

fn display(place: &[String]) -> String {
    place
        .iter()
        .fold(String::new(), |path, step| match step.parse::<usize>() {
            Ok(index) => format!("{path}[{index}]"),
            Err(_) => join(&path, step),
        })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by the derived code")]
    struct Outer {
        port: u16,
        name: String,
        #[serde(default)]
        items: Vec<Item>,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by the derived code")]
    struct Item {
        timeout_ms: u64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only read by the derived code")]
    enum Kind {
        Uniform { low: u64, high: u64 },
        Constant(u64),
    }

    fn check(value: Value, expected: &[&str]) {
        let faults: Vec<String> = match from_value::<Outer>(value) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(faults, expected);
    }

    #[test]
    fn a_good_value_has_no_faults() {
        check(
            json!({"port": 1, "name": "a", "items": [{"timeout_ms": 2}]}),
            &[],
        );
    }

    #[test]
    fn all_faults_are_reported_at_once_with_their_places() {
        check(
            json!({
                "port": "eighty", "name": "a",
                "items": [{"timeout_ms": 1}, {"timeot_ms": 2}, {"timeout_ms": -3}],
                "kind": {"unifrom": {"low": 1, "high": 2}},
            }),
            &[
                "port: invalid type: string \"eighty\", expected u16",
                "items[1].timeot_ms: unknown field; did you mean `timeout_ms`?",
                "items[1].timeout_ms: is required and missing",
                "items[2].timeout_ms: invalid value: integer `-3`, expected u64",
                "kind: unknown kind `unifrom`; did you mean `uniform`?",
            ],
        );
    }

    #[test]
    fn several_missing_fields_are_each_named() {
        check(
            json!({}),
            &[
                "port: is required and missing",
                "name: is required and missing",
            ],
        );
    }

    #[test]
    fn a_document_of_the_wrong_kind_is_one_fault() {
        let faults = from_value::<Outer>(json!([1, 2])).expect_err("a list is not a struct");
        assert!(!faults.is_empty());
    }

    #[test]
    fn faults_inside_an_enum_carry_the_variant() {
        check(
            json!({"port": 1, "name": "a", "kind": {"uniform": {"low": "x", "high": 2}}}),
            &["kind.uniform.low: invalid type: string \"x\", expected u64"],
        );
    }
}
