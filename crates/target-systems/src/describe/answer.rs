//! JSON schema of the body of a response, from its template.

use serde_json::{Map, Value as Json, json};

use super::request::Shape;
use crate::document::ResponseSpec;

/// The schema of the template; the meaning of `$` is documented at [`Answer`].
pub(super) fn schema(answer: &ResponseSpec, shape: &Shape) -> Json {
    of(&answer.body, answer, shape)
}

fn of(template: &Json, answer: &ResponseSpec, shape: &Shape) -> Json {
    match template {
        Json::String(text) => match text.strip_prefix('$') {
            Some(name) => of_name(name, answer, shape),
            None => json!({ "const": text }),
        },
        Json::Array(items) => {
            let mut known: Vec<Json> = Vec::new();
            for item in items.iter().map(|item| of(item, answer, shape)) {
                if !known.contains(&item) {
                    known.push(item);
                }
            }
            let mut schema =
                json!({ "type": "array", "minItems": items.len(), "maxItems": items.len() });
            if !known.is_empty() {
                schema["items"] = json!({ "anyOf": known });
            }
            schema
        }
        Json::Object(fields) => object(fields, answer, shape),
        other => json!({ "const": other }),
    }
}

fn object(fields: &Map<String, Json>, answer: &ResponseSpec, shape: &Shape) -> Json {
    if let (Some(_), Some(item)) = (fields.get("$repeat"), fields.get("item")) {
        return json!({ "type": "array", "items": of(item, answer, shape) });
    }
    let properties: Map<String, Json> = fields
        .iter()
        .map(|(name, field)| (name.clone(), of(field, answer, shape)))
        .collect();
    let required: Vec<&String> = fields.keys().collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn of_name(name: &str, answer: &ResponseSpec, shape: &Shape) -> Json {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    match (first, rest) {
        ("elapsed_ms", _) => json!({ "type": "number", "minimum": 0 }),
        ("index" | "steps", _) | ("entries", "count") => json!({ "type": "integer", "minimum": 0 }),
        ("draw", "unit") => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        ("draw", "id") => json!({ "type": "string", "pattern": "^[0-9a-f]{16}$" }),
        ("draw", name) => {
            let choices = answer.draws.get(name).map_or(&[][..], Vec::as_slice);
            json!({ "enum": choices.iter().map(|choice| &choice.is).collect::<Vec<_>>() })
        }
        ("body", names) => shape.of_body(names),
        ("path", _) => json!({ "type": "string" }),
        ("query", _) => json!({ "type": ["string", "integer", "null"] }),
        ("state", "age_ms") => json!({ "type": ["number", "null"], "minimum": 0 }),
        ("entries", _) => json!({
            "type": "array",
            "items": { "type": "object", "required": ["index"], "properties": { "index": { "type": "integer" } } },
        }),
        _ => json!({ "type": ["string", "null"] }),
    }
}
