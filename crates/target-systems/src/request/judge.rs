//! The rules of a request's fields.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::RequestJson;
use super::field::{Field, Found};
use crate::document::{Bounds, FieldType, RequestShape, Source};

/// Maximum number of errors, after which the check of a request stops.
const MOST_ERRORS: usize = 100;

/// A shape with its fields parsed.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    required: Vec<Field>,
    rules: Vec<(Field, Rule)>,
}

#[derive(Debug, Clone)]
enum Rule {
    Type(FieldType),
    Choice(Vec<Json>),
    MinItems(usize),
    MaxItems(usize),
    MaxChars(usize),
    Bounds(Bounds),
    In(Field),
}

impl Rules {
    pub fn new(shape: &RequestShape) -> Self {
        let mut rules = Vec::new();
        let mut add = |name: &str, rule: Rule| {
            if let Ok(field) = name.parse() {
                rules.push((field, rule));
            }
        };
        for (name, kind) in &shape.types {
            add(name, Rule::Type(*kind));
        }
        for (name, values) in &shape.choices {
            add(name, Rule::Choice(values.clone()));
        }
        for (name, least) in &shape.min_items {
            add(name, Rule::MinItems(*least as usize));
        }
        for (name, most) in &shape.max_items {
            add(name, Rule::MaxItems(*most as usize));
        }
        for (name, most) in &shape.max_chars {
            add(name, Rule::MaxChars(*most as usize));
        }
        for (name, bounds) in &shape.bounds {
            add(name, Rule::Bounds(*bounds));
        }
        for (name, other) in &shape.references {
            if let Ok(other) = other.parse() {
                add(name, Rule::In(other));
            }
        }
        Self {
            required: shape
                .required
                .iter()
                .filter_map(|name| name.parse().ok())
                .collect(),
            rules,
        }
    }

    /// The errors of a request, each with its path.
    pub fn errors(&self, whole: &RequestJson<'_>) -> Vec<String> {
        let mut errors = Vec::new();
        let has_body = self.fields().any(|field| field.source == Source::Body);
        if has_body && !matches!(whole.body, Json::Object(_) | Json::Null) {
            return vec!["body: must be an object".to_owned()];
        }
        for field in &self.required {
            for found in field.find(whole.of(field.source)) {
                if found.value.is_none() {
                    errors.push(format!("{}: is required and missing", found.path));
                }
            }
        }
        for (field, rule) in &self.rules {
            let allowed = rule.allowed(whole);
            for found in field.find(whole.of(field.source)) {
                let Some(value) = found.value else {
                    continue;
                };
                if let Some(message) = rule.broken(value, field.source, &allowed) {
                    errors.push(format!("{}: {message}", found.path));
                }
                if errors.len() >= MOST_ERRORS {
                    return errors;
                }
            }
        }
        errors
    }

    fn fields(&self) -> impl Iterator<Item = &Field> {
        self.required
            .iter()
            .chain(self.rules.iter().map(|(field, _)| field))
    }
}

impl Rule {
    /// The allowed values of a reference.
    fn allowed(&self, whole: &RequestJson<'_>) -> BTreeSet<String> {
        let Self::In(other) = self else {
            return BTreeSet::new();
        };
        let found: Vec<Found<'_>> = other.find(whole.of(other.source));
        found
            .into_iter()
            .filter_map(|found| found.value.map(ToString::to_string))
            .collect()
    }

    /// The error of a value, if there is one.
    fn broken(&self, value: &Json, source: Source, allowed: &BTreeSet<String>) -> Option<String> {
        // Parameters are sent as text.
        let is_text = matches!(source, Source::Query | Source::Path);
        match self {
            Self::Type(kind) => {
                (!fits(*kind, value, is_text)).then(|| format!("must be {}", noun(*kind)))
            }
            Self::Choice(values) => {
                let known = values
                    .iter()
                    .any(|one| one == value || (is_text && says(value, one)));
                (!known).then(|| {
                    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                    format!("must be one of {}", values.join(", "))
                })
            }
            Self::MinItems(least) => {
                (items(value)? < *least).then(|| format!("needs at least {least} items"))
            }
            Self::MaxItems(most) => {
                (items(value)? > *most).then(|| format!("has more than {most} items"))
            }
            Self::MaxChars(most) => {
                let text = value.as_str()?;
                (text.chars().count() > *most).then(|| format!("has more than {most} characters"))
            }
            Self::Bounds(bounds) => out_of(bounds, value, is_text),
            Self::In(other) => (!allowed.contains(&value.to_string()))
                .then(|| format!("{} is not in {other}", shortened(value))),
        }
    }
}

/// Whether a text parameter is not a valid value.
fn says(text: &Json, value: &Json) -> bool {
    !value.is_string() && text.as_str() == Some(value.to_string().as_str())
}

/// Shortens a value for a response.
fn shortened(value: &Json) -> String {
    let text = value.to_string();
    if text.chars().count() <= 40 {
        return text;
    }
    let start: String = text.chars().take(40).collect();
    format!("{start}…")
}

fn out_of(bounds: &Bounds, value: &Json, is_text: bool) -> Option<String> {
    let number = match value {
        Json::String(text) if is_text => text.parse().unwrap_or(f64::NAN),
        Json::Number(number) => number.as_f64()?,
        _ => return Some("must be a number".to_owned()),
    };
    let low = bounds.min.is_none_or(|min| number >= min);
    let high = bounds.max.is_none_or(|max| number <= max);
    if low && high && !number.is_nan() {
        return None;
    }
    Some(match (bounds.min, bounds.max) {
        (Some(min), Some(max)) => format!("must be from {min} to {max}"),
        (Some(min), None) => format!("must be {min} or more"),
        (None, Some(max)) => format!("must be {max} or less"),
        (None, None) => "must be a number".to_owned(),
    })
}

fn items(value: &Json) -> Option<usize> {
    match value {
        Json::Array(items) => Some(items.len()),
        Json::Object(fields) => Some(fields.len()),
        _ => None,
    }
}

fn fits(kind: FieldType, value: &Json, is_text: bool) -> bool {
    if let (true, Json::String(text)) = (is_text, value) {
        return match kind {
            FieldType::String => true,
            FieldType::Number => text.parse::<f64>().is_ok_and(f64::is_finite),
            FieldType::Integer => text.parse::<i64>().is_ok(),
            FieldType::Boolean => matches!(text.as_str(), "true" | "false" | "1" | "0"),
            FieldType::List | FieldType::Object => false,
        };
    }
    match kind {
        FieldType::String => value.is_string(),
        FieldType::Number => value.is_number(),
        FieldType::Integer => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        FieldType::Boolean => value.is_boolean(),
        FieldType::List => value.is_array(),
        FieldType::Object => value.is_object(),
    }
}

fn noun(kind: FieldType) -> &'static str {
    match kind {
        FieldType::String => "a string",
        FieldType::Number => "a number",
        FieldType::Integer => "a whole number",
        FieldType::Boolean => "true or false",
        FieldType::List => "a list",
        FieldType::Object => "an object",
    }
}
