//! `#(path op value)`: selection of items of a list.

use std::cmp::Ordering;

use serde_json::Value;

use super::nesting::{Quotes, marks};
use super::{Walk, matches};

/// A parsed query.
pub(super) struct Query<'q> {
    path: &'q str,
    /// The comparison; without it, the path must have a value.
    comparison: Option<(&'q str, &'q str)>,
}

const OPERATORS: [&str; 9] = ["==", "!=", "<=", ">=", "!%", "=", "<", ">", "%"];

impl<'q> Query<'q> {
    /// Finds the first operator outside brackets and quotes.
    pub(super) fn parse(text: &'q str) -> Self {
        let operator_at = |at: usize| {
            let found = OPERATORS.iter().find(|op| text[at..].starts_with(**op));
            found.map(|operator| (at, *operator))
        };
        let found = marks(text, Quotes::Everywhere)
            .filter(|(_, _, depth)| *depth == 0)
            .find_map(|(at, ..)| operator_at(at));
        match found {
            Some((at, operator)) => Self {
                path: text[..at].trim(),
                comparison: Some((operator, text[at + operator.len()..].trim())),
            },
            None => Self {
                path: text.trim(),
                comparison: None,
            },
        }
    }
}

impl Walk {
    /// Whether an item matches.
    pub(super) fn fits(&mut self, item: &Value, query: &Query<'_>, depth: u32) -> bool {
        let found = match query.path {
            "" => Some(item.clone()),
            path if item.is_object() || item.is_array() => self.walk(item, path, depth),
            _ => None,
        };
        let Some((operator, wanted)) = query.comparison else {
            return found.is_some();
        };
        if let Some(kind) = wanted.strip_prefix('~') {
            let is_so = is_like(found.as_ref(), kind);
            return match operator {
                "=" | "==" => is_so,
                "!=" => !is_so,
                _ => false,
            };
        }
        found.is_some_and(|found| compare(&found, operator, wanted))
    }
}

/// `~true`, `~false`, `~null`, `~*`: by the truth of a value.
fn is_like(value: Option<&Value>, kind: &str) -> bool {
    let is_null = value.is_none_or(Value::is_null);
    let is_true = match value {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_f64().is_some_and(|n| n != 0.0),
        Some(Value::String(text)) => {
            matches!(text.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True")
        }
        _ => false,
    };
    match kind {
        "true" => is_true,
        "false" => !is_true,
        "null" => is_null,
        "*" => value.is_some(),
        _ => false,
    }
}

fn compare(subject: &Value, operator: &str, wanted: &str) -> bool {
    let quoted = wanted
        .strip_prefix('"')
        .map(|rest| rest.strip_suffix('"').unwrap_or(rest).replace("\\\"", "\""));
    let ordering = match (subject, quoted) {
        (Value::String(text), quoted) => {
            let wanted = quoted.as_deref().unwrap_or(wanted);
            match operator {
                "%" => return matches(text.as_bytes(), wanted.as_bytes()),
                "!%" => return !matches(text.as_bytes(), wanted.as_bytes()),
                _ => Some(text.as_str().cmp(wanted)),
            }
        }
        (Value::Number(number), None) => wanted
            .parse()
            .ok()
            .and_then(|wanted: f64| number.as_f64()?.partial_cmp(&wanted)),
        (Value::Bool(flag), None) => wanted.parse().ok().map(|wanted: bool| flag.cmp(&wanted)),
        (Value::Null, None) => (wanted == "null").then_some(Ordering::Equal),
        _ => None,
    };
    match (operator, ordering) {
        ("!=", ordering) => ordering != Some(Ordering::Equal),
        (_, None) => false,
        ("=" | "==", Some(ordering)) => ordering.is_eq(),
        ("<", Some(ordering)) => ordering.is_lt(),
        ("<=", Some(ordering)) => ordering.is_le(),
        (">", Some(ordering)) => ordering.is_gt(),
        (">=", Some(ordering)) => ordering.is_ge(),
        _ => false,
    }
}
