//! A request that an endpoint accepts, for endpoints without an example.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use super::request::Shape;
use crate::document::{Document, Endpoint, Example, Flow, Place, Step};
use crate::request::Expected;

/// A request with the required fields and with those that name entries of stores, each with the smallest value
/// that its rules allow.
///
/// # Errors
/// The rules that the request violates, because they contradict each other.
pub(crate) fn example(document: &Document, endpoint: &Endpoint) -> Result<Example, String> {
    let mut shape = Shape::new(document, endpoint);
    naming(&endpoint.flow, &mut |place| {
        if let Ok(field) = place.to_string().parse() {
            shape.require(&field);
        }
    });
    let (_, path) = endpoint.route.split_once(' ').unwrap_or_default();
    let parameters = shape.parameters(path).into_iter();
    let required = parameters.filter(|one| one["required"] == true);
    let (mut path, mut query) = (IndexMap::new(), IndexMap::new());
    for one in required {
        let into = if one["in"] == "path" {
            &mut path
        } else {
            &mut query
        };
        let name = one["name"].as_str().unwrap_or_default().to_owned();
        into.insert(name, least(&one["schema"]));
    }
    let body = shape.body_schema();
    let needs_body = body.get("required").is_some();
    let example = Example {
        share: 1.0,
        body: if needs_body { least(&body) } else { Json::Null },
        query,
        path,
        state: Json::Null,
    };
    let broken = Expected::new(&endpoint.request, Vec::new()).example_errors(&example);
    match broken.is_empty() {
        true => Ok(example),
        false => Err(broken.join("; ")),
    }
}

/// Calls `found` with each place that contains the name of an entry.
fn naming(flow: &Flow, found: &mut impl FnMut(&Place)) {
    for step in flow {
        if let Step::State(state) = step {
            let id = state.id.as_deref().filter(|_| state.create.is_none());
            let id: Option<Place> = id.and_then(|id| id.parse().ok());
            state.key.iter().chain(&id).for_each(&mut *found);
        }
        for inner in step.inner() {
            naming(inner, found);
        }
    }
}

/// The smallest value of a JSON schema.
fn least(schema: &Json) -> Json {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    let has = |rule: &str| schema.get(rule).is_some();
    match schema["type"].as_str() {
        Some("boolean") => json!(true),
        Some("number" | "integer") => number(schema),
        Some("array") => list(schema),
        Some("object") => object(schema),
        None if has("minItems") || has("maxItems") || has("items") => list(schema),
        None if has("required") || has("properties") => object(schema),
        _ => text(schema),
    }
}

/// One, or the nearest number within the bounds.
fn number(schema: &Json) -> Json {
    let bound = |name: &str, none: f64| schema[name].as_f64().unwrap_or(none);
    let number = 1.0_f64
        .min(bound("maximum", f64::INFINITY))
        .max(bound("minimum", f64::NEG_INFINITY));
    super::request::number(number)
}

fn list(schema: &Json) -> Json {
    let count = schema["minItems"].as_u64().unwrap_or(0);
    (0..count).map(|_| least(&schema["items"])).collect()
}

fn object(schema: &Json) -> Json {
    let required = schema["required"].as_array().into_iter().flatten();
    let names = required.filter_map(Json::as_str);
    let fields: Map<String, Json> = names
        .map(|name| (name.to_owned(), least(&schema["properties"][name])))
        .collect();
    Json::Object(fields)
}

/// All texts are equal, so that references to other fields are valid. Initial rows have numbers as names.
fn text(schema: &Json) -> Json {
    let most = schema["maxLength"].as_u64().unwrap_or(1);
    json!(if most == 0 { "" } else { "1" })
}
