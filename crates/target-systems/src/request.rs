//! Checks requests against the expectations of an endpoint: pure, without a socket.

mod field;
mod judge;

use std::collections::BTreeMap;
use std::sync::Arc;

use live_config::strict::{self, Fault};
use serde_json::Value as Json;

use crate::document::{Document, Endpoint, Example, RequestShape, Source};
use crate::plan::{Path, Value};

pub use field::Field;
pub(crate) use field::FieldStep;

/// Maximum number of reported errors of a request.
const MOST_ERRORS: usize = 10;
/// Maximum number of reported characters of a path.
const MOST_PATH_CHARS: usize = 80;

/// A request whose route has been found.
#[derive(Debug, Clone, Default)]
pub struct Incoming {
    /// The bytes of the body.
    pub body: Vec<u8>,
    /// Query parameters; of equal names, the last one.
    pub query: BTreeMap<String, String>,
    /// Parameters of the route.
    pub path: BTreeMap<String, String>,
}

/// A valid request for its endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The whole body; null if there was none.
    pub body: Json,
    /// The input of the flow: the values of `body`, `path` and `query` that the plan names.
    pub input: Value,
}

/// The reason why a request is rejected: `error_type` is `bad_request`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// 400 for invalid JSON, 413 for a body that is too large, 422 for invalid fields.
    pub status: u16,
    pub detail: String,
}

/// The expectations of an endpoint, parsed once.
#[derive(Debug, Clone)]
pub struct Expected {
    rules: judge::Rules,
    max_bytes: usize,
    /// Places that flows and operations read.
    places: Vec<Path>,
}

impl Expected {
    /// Parses a `shape` that has passed the document's check; unreadable fields are left out.
    pub fn new(shape: &RequestShape, places: Vec<Path>) -> Self {
        Self {
            rules: judge::Rules::new(shape),
            max_bytes: max_bytes(shape),
            places,
        }
    }

    /// The maximum size of a body, in bytes.
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Checks a request.
    ///
    /// # Errors
    /// All errors of the request, up to ten, each with its path.
    pub fn accept(&self, incoming: &Incoming) -> Result<Accepted, Refusal> {
        if incoming.body.len() > self.max_bytes {
            return Err(Refusal {
                status: 413,
                detail: format!(
                    "body: {} bytes are more than {}",
                    incoming.body.len(),
                    self.max_bytes
                ),
            });
        }
        let body = read_body(&incoming.body)?;
        let texts = |map: &BTreeMap<String, String>| {
            Json::Object(
                map.iter()
                    .map(|(name, text)| (name.clone(), Json::String(text.clone())))
                    .collect(),
            )
        };
        let (query, path) = (texts(&incoming.query), texts(&incoming.path));
        let whole = RequestJson {
            body: &body,
            query: &query,
            path: &path,
        };
        self.judge(&whole)?;
        let input = self.input(&whole);
        Ok(Accepted { body, input })
    }

    fn judge(&self, whole: &RequestJson<'_>) -> Result<(), Refusal> {
        let errors = self.rules.errors(whole);
        if errors.is_empty() {
            return Ok(());
        }
        let told: Vec<&str> = errors
            .iter()
            .take(MOST_ERRORS)
            .map(String::as_str)
            .collect();
        let mut detail = told.join("; ");
        if errors.len() > MOST_ERRORS {
            detail.push_str(&format!("; and {} more", errors.len() - MOST_ERRORS));
        }
        Err(Refusal {
            status: 422,
            detail,
        })
    }

    /// An example of a document as input; it is trusted, not checked.
    pub fn example(&self, example: &Example) -> Value {
        let object = |map: &indexmap::IndexMap<String, Json>| {
            Json::Object(map.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
        };
        let (query, path) = (object(&example.query), object(&example.path));
        self.input(&RequestJson {
            body: &example.body,
            query: &query,
            path: &path,
        })
    }

    /// The errors of an example in a document.
    pub(crate) fn example_errors(&self, example: &Example) -> Vec<String> {
        let object = |map: &indexmap::IndexMap<String, Json>| {
            Json::Object(map.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
        };
        let (query, path) = (object(&example.query), object(&example.path));
        self.rules.errors(&RequestJson {
            body: &example.body,
            query: &query,
            path: &path,
        })
    }

    fn input(&self, whole: &RequestJson<'_>) -> Value {
        Value::map(
            [
                (Source::Body, "body", whole.body),
                (Source::Path, "path", whole.path),
                (Source::Query, "query", whole.query),
            ]
            .map(|(source, name, json)| (name, prune(json, &self.below(source)))),
        )
    }

    fn below(&self, source: Source) -> Vec<&[Arc<str>]> {
        let root = crate::compile::root(source);
        self.places
            .iter()
            .filter(|place| place.root == root)
            .map(|place| place.names.as_slice())
            .collect()
    }
}

/// The parts of a request as JSON.
#[derive(Debug, Clone, Copy)]
struct RequestJson<'a> {
    body: &'a Json,
    query: &'a Json,
    path: &'a Json,
}

impl<'a> RequestJson<'a> {
    fn of(&self, source: Source) -> &'a Json {
        match source {
            Source::Query => self.query,
            Source::Path => self.path,
            Source::Body | Source::State | Source::Item => self.body,
        }
    }
}

fn max_bytes(shape: &RequestShape) -> usize {
    let bytes = (shape.max_kb * 1_000.0).clamp(0.0, 1e9);
    bytes as usize
}

/// Parses JSON in which no object has a duplicate key; null if there is only white space.
fn read_body(bytes: &[u8]) -> Result<Json, Refusal> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Json::Null);
    }
    strict::read(bytes).map_err(|fault| Refusal {
        status: 400,
        detail: match fault {
            Fault::Twice(path) => format!(
                "{}: is duplicated in its object; keep one",
                path_in_body(&path)
            ),
            Fault::Syntax(error) => format!("body: cannot be read as JSON: {error}"),
        },
    })
}

/// A path in the body for error messages; its keys come from the client, so it is shortened.
fn path_in_body(path: &str) -> String {
    let dot = if path.starts_with('[') { "" } else { "." };
    let shown = path.chars().filter(|char| !char.is_control());
    format!(
        "body{dot}{}",
        shown.take(MOST_PATH_CHARS).collect::<String>()
    )
}

/// The values of `json` that the paths name; a path that ends here includes the whole value.
fn prune(json: &Json, paths: &[&[Arc<str>]]) -> Value {
    if paths.iter().any(|path| path.is_empty()) {
        return value(json);
    }
    let Json::Object(fields) = json else {
        return Value::Null;
    };
    let mut below: BTreeMap<&str, Vec<&[Arc<str>]>> = BTreeMap::new();
    for path in paths {
        if let Some((first, rest)) = path.split_first() {
            below.entry(first).or_default().push(rest);
        }
    }
    let kept = below.into_iter().filter_map(|(name, rest)| {
        let inner = fields.get(name)?;
        // Inside lists, paths continue by index or by item: the whole list is included.
        let kept = match inner {
            Json::Object(_) => prune(inner, &rest),
            _ => value(inner),
        };
        Some((Arc::from(name), kept))
    });
    Value::Map(kept.collect())
}

/// Converts JSON to the form that networks read.
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or(0.0)),
        Json::String(text) => Value::Text(text.as_str().into()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(fields) => Value::Map(
            fields
                .iter()
                .map(|(name, field)| (name.as_str().into(), value(field)))
                .collect(),
        ),
    }
}

/// Converts a value to JSON; whole numbers become integers.
pub fn json_of(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Json::from(*number as i64)
        }
        Value::Number(number) => Json::from(*number),
        Value::Text(text) => Json::String(text.to_string()),
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Map(fields) => {
            let field = |(name, field): &(Arc<str>, Value)| (name.to_string(), json_of(field));
            Json::Object(fields.iter().map(field).collect())
        }
    }
}

impl Expected {
    /// The expectations of an endpoint of a document.
    pub fn of(document: &Document, endpoint: &Endpoint) -> Self {
        let places = crate::compile::read_paths(document, &endpoint.flow);
        Self::new(&endpoint.request, places)
    }
}

#[cfg(test)]
mod tests;
