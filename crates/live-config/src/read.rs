//! Deserialization that reports all errors, not only the first.
//!
//! serde stops at the first error. [`from_value`] records it, repairs the value at that place and tries again until
//! the rest is valid.

use std::collections::BTreeSet;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::error::{ConfigError, join};
use crate::mend::{find, mend};
use crate::wording;

/// The prefix of the message about an unknown field.
pub const UNKNOWN_FIELD: &str = "unknown field";
/// The prefix of the message about a mapping in place of something else.
pub use crate::wording::MAPPING_FOUND;

/// The most errors that are reported.
const MOST_ERRORS: usize = 100;
/// The most repairs: an error may take several.
const MOST_REPAIRS: usize = 500;

/// The YAML reader's advice for programmers, and its replacement for users.
const ADVICE_TO_PROGRAMMERS: [(&str, &str); 2] = [
    (
        ", set DuplicateKeyPolicy in Options if acceptable",
        "; keep one",
    ),
    (
        "use from_str_multiple or from_str_multiple_with_options",
        "keep one",
    ),
];

/// A value as far as it could be read, with its errors.
#[derive(Debug)]
pub struct Reading<T> {
    /// The value with invalid places dropped or filled in; `None` if nothing could be read.
    pub value: Option<T>,
    pub errors: Vec<ConfigError>,
}

/// A text that is not YAML; the message contains the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    message: String,
}

/// The value that a YAML document describes.
///
/// # Errors
/// The text is not YAML.
pub fn yaml(text: &str) -> Result<Value, SyntaxError> {
    // JSON has no number that is not finite. As a text, such as `.inf`, it is an error with its path wherever a
    // number is expected; as null, it would mean "no limit".
    let options = serde_saphyr::options! {
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
    };
    // The message omits the lines around the place, which may contain a secret.
    serde_saphyr::from_str_with_options(text, options).map_err(|error| SyntaxError {
        message: ADVICE_TO_PROGRAMMERS
            .iter()
            .fold(error.without_snippet().to_string(), |text, (said, told)| {
                text.replace(said, told)
            }),
    })
}

/// The text of a file.
///
/// # Errors
/// It cannot be read, or is not text; the message says what it is instead.
pub fn file(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path).map_err(explained)
}

/// The error of reading a file as text, in words that say what the file is instead.
pub fn explained(error: std::io::Error) -> std::io::Error {
    use std::io::{Error, ErrorKind};

    match error.kind() {
        ErrorKind::InvalidData => Error::other("it is not UTF-8 text"),
        ErrorKind::IsADirectory => Error::other("it is a directory; name a file"),
        _ => error,
    }
}

/// Reads `value` as a `T`.
///
/// # Errors
/// Every error found, each with its path; unknown fields come with the nearest known name.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Vec<ConfigError>> {
    let reading = repair(value);
    match reading.value {
        Some(value) if reading.errors.is_empty() => Ok(value),
        _ => Err(reading.errors),
    }
}

/// Reads `value` as far as possible. Used when checks of the parsed value follow, so that errors of form and of
/// meaning are reported together.
pub fn repair<T: DeserializeOwned>(mut value: Value) -> Reading<T> {
    let mut errors = Vec::new();
    let mut repaired = BTreeSet::new();
    for _ in 0..MOST_REPAIRS {
        let problem = match read::<T>(&value) {
            Ok(read) => {
                return Reading {
                    value: Some(read),
                    errors,
                };
            }
            Err(problem) => problem,
        };
        let place = problem.place();
        let is_consequence = is_below(&repaired, &place) || is_emptied(&repaired, &value, &place);
        if repaired.insert(place.clone()) && !is_consequence {
            let message = with_keys(&problem.explain(), &value, &place);
            errors.push(ConfigError::new(display(&place), message));
        }
        if errors.len() >= MOST_ERRORS || !mend::<T>(&mut value, &problem, &place) {
            break;
        }
    }
    Reading {
        value: None,
        errors,
    }
}

fn at<'a>(value: &'a Value, place: &[String]) -> Option<&'a Value> {
    let pointer: String = place
        .iter()
        .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
        .collect();
    value.pointer(&pointer)
}

/// The message about a mapping that should have one key, with the keys that it has.
fn with_keys(message: &str, value: &Value, place: &[String]) -> String {
    let keys = at(value, place).and_then(Value::as_object);
    match keys.filter(|_| message.ends_with(wording::ONE_KEY)) {
        None => message.to_owned(),
        Some(keys) if keys.is_empty() => {
            "found a mapping without a key, expected one key".to_owned()
        }
        Some(keys) => {
            let keys: Vec<&str> = keys.keys().map(String::as_str).collect();
            format!(
                "found a mapping with the keys {}, expected one key",
                keys.join(", ")
            )
        }
    }
}

/// A place in a JSON document: object keys and array indexes from the root.
pub(crate) type Place = Vec<String>;

type PathError = serde_path_to_error::Error<serde_json::Error>;

#[derive(Debug, PartialEq)]
pub(crate) enum Problem {
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
        /// The names of which one is expected.
        known: Vec<String>,
    },
}

impl Problem {
    pub(crate) fn place(&self) -> Place {
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
                    Some(name) => format!("{UNKNOWN_FIELD}; did you mean `{name}`?"),
                    None if known.is_empty() => format!("{UNKNOWN_FIELD}; none is expected here"),
                    None => format!("{UNKNOWN_FIELD}; known here: {}", known.join(", ")),
                }
            }
            Self::Missing { .. } => "is required and missing".to_owned(),
            Self::Invalid { message, .. } => message.clone(),
        }
    }
}

/// The candidate that `name` was probably meant to be.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let likeness = |candidate: &str| strsim::jaro_winkler(&name, &candidate.to_ascii_lowercase());
    candidates
        .into_iter()
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The candidate of which `name` is a misspelling: at most one letter in four is wrong, missing, added or exchanged with the
/// next one. Stricter than [`nearest`], for names that may be right.
pub fn misspelt<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (name.chars().count() / 4).max(1);
    let differences = |candidate: &'a str| {
        let differences = strsim::damerau_levenshtein(name, candidate);
        (differences, candidate)
    };
    let all = candidates.into_iter().map(differences);
    let near = all.filter(|(differences, _)| (1..=most).contains(differences));
    near.min_by_key(|(differences, _)| *differences)
        .map(|(_, candidate)| candidate)
}

pub(crate) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (mut place, is_key) = place_of::<T>(value, &error);
        let message = error.into_inner().to_string();
        // A variant that is read as the key of a mapping is the last step of the path, but no place of its own.
        let variant = message.strip_prefix("unknown variant `");
        let variant = variant.and_then(|rest| rest.split('`').next());
        if !is_key
            && variant.is_some_and(|name| place.last().is_some_and(|step| step == name))
            && at(value, &place).and_then(Value::as_str) != variant
        {
            place.pop();
        }
        let problem = classify(place, &message);
        match problem {
            Problem::Invalid {
                mut place, known, ..
            } if is_key && !known.is_empty() => Problem::Unknown {
                field: place.pop().unwrap_or_default(),
                parent: place,
                known,
            },
            problem => problem,
        }
    })
}

/// The place of an error, and whether it is a key that the error's path lacks.
fn place_of<T: DeserializeOwned>(value: &Value, error: &PathError) -> (Place, bool) {
    let mut place = Place::new();
    let mut is_key = false;
    for (depth, segment) in error.path().iter().enumerate() {
        let step = match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => failing_key::<T>(value, &place, depth, error),
        };
        is_key = matches!(segment, Segment::Unknown) && step.is_some();
        place.extend(step);
    }
    (place, is_key)
}

/// The key of the mapping at `parent` at which the error occurs, at this depth of its path. The path lacks keys whose type
/// is an enum. It is the first key with which the error occurs when the later ones are left out. `None` for the variant of
/// an enum, which has to be there.
fn failing_key<T: DeserializeOwned>(
    value: &Value,
    parent: &[String],
    depth: usize,
    error: &PathError,
) -> Option<String> {
    let read = |value: &Value| serde_path_to_error::deserialize::<_, T>(value).err();
    let steps = |error: &PathError| -> Vec<String> {
        let path = error.path().iter();
        path.take(depth).map(ToString::to_string).collect()
    };
    let is_at_parent = |found: PathError| {
        let length = found.path().iter().count();
        (depth..=depth + 1).contains(&length) && steps(&found) == steps(error)
    };
    let mut cut = value.clone();
    let all = std::mem::take(find(&mut cut, parent)?.as_object_mut()?);
    if read(&cut).is_some_and(is_at_parent) {
        return None;
    }
    for (key, inner) in all {
        let mapping = find(&mut cut, parent)?.as_object_mut()?;
        mapping.insert(key.clone(), inner);
        if read(&cut).is_some_and(|found| found.to_string() == error.to_string()) {
            return Some(key);
        }
    }
    None
}

/// Classifies serde's standard messages by their fixed wording.
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
            let message = if is_secret(&place) || is_telling(&field) {
                format!("unknown kind; {hint}")
            } else {
                format!("unknown kind `{field}`; {hint}")
            };
            return Problem::Invalid {
                place,
                message,
                known,
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
    let message = without_secret(&place, message).unwrap_or_else(|| message.to_owned());
    let message = wording::of_people(&message);
    Problem::Invalid {
        place,
        message,
        known: Vec::new(),
    }
}

/// serde's message without the found value, which may be a secret.
fn without_secret(place: &[String], message: &str) -> Option<String> {
    let what = ["invalid type: ", "invalid value: "]
        .into_iter()
        .find(|what| message.starts_with(what))?;
    let (found, expected) = message[what.len()..].rsplit_once(", expected ")?;
    let (kind, value) = found.split_at(found.find(['"', '`'])?);
    (is_secret(place) || is_telling(value))
        .then(|| format!("{what}{}, expected {expected}", kind.trim_end()))
}

/// Whether the value at this place is secret.
fn is_secret(place: &[String]) -> bool {
    const SECRET: [&str; 8] = [
        "auth",
        "credential",
        "key",
        "passw",
        "redis_url",
        "secret",
        "sha256",
        "token",
    ];
    place.iter().any(|step| {
        let step = step.to_ascii_lowercase();
        SECRET.iter().any(|word| step.contains(word))
    })
}

/// Whether a value looks like a secret in the wrong place: long, or a URL with a user.
fn is_telling(value: &str) -> bool {
    const LONGEST_SLIP_CHARS: usize = 20;
    value.contains('@') || value.chars().count() > LONGEST_SLIP_CHARS
}

/// Whether a container of `place` was repaired before, so that this is only a consequence.
fn is_below(repaired: &BTreeSet<Place>, place: &[String]) -> bool {
    (1..place.len()).any(|length| repaired.contains(&place[..length]))
}

/// Whether a mapping is empty because its content was left out by a repair.
fn is_emptied(repaired: &BTreeSet<Place>, value: &Value, place: &[String]) -> bool {
    let found = at(value, place).and_then(Value::as_object);
    let is_empty = found.is_some_and(serde_json::Map::is_empty);
    let is_inside = |inner: &Place| inner.len() > place.len() && inner.starts_with(place);
    is_empty && repaired.iter().any(is_inside)
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
mod tests;
