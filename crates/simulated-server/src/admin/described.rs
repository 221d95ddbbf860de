//! The admin API's own description, and the page to try it.

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use service_runtime::api_page;

/// The common operations of simulated servers, as OpenAPI.
const COMMON: &str = include_str!("../../admin.json");

/// `/__admin/openapi.json` and `/__admin/docs` for a server called `name`, whose own operations are
/// `paths`, an object of OpenAPI paths as JSON. `profile` is the JSON schema of its profile or document.
///
/// # Panics
/// Panics if `paths` is not such an object, which a test of each server rules out.
pub fn described(name: &str, paths: &str, profile: Value) -> Router {
    let document = Arc::new(document(name, paths, profile));
    let show = get(move || {
        let document = document.clone();
        async move { Json(document.as_ref().clone()) }
    });
    let title = format!("{name}: admin API");
    Router::new()
        .route("/__admin/openapi.json", show)
        .merge(api_page::routes::<()>(
            &title,
            "/__admin/docs",
            "/__admin/openapi.json",
        ))
}

fn document(name: &str, paths: &str, profile: Value) -> Value {
    let mut document: Value = serde_json::from_str(COMMON).expect("it is JSON");
    document["info"]["title"] = format!("{name}: admin API").into();
    let own: Value = serde_json::from_str(paths).expect("the server's own paths are JSON");
    for (path, operations) in own.as_object().expect("paths are an object") {
        document["paths"][path] = operations.clone();
    }
    let schemas = &mut document["components"]["schemas"];
    schemas["Patch"] = patch(&profile);
    let mut profile = relocated(profile);
    if let Some(profile) = profile.as_object_mut() {
        profile.remove("$schema");
        let definitions = profile.remove("$defs").unwrap_or_default();
        for (name, definition) in definitions.as_object().into_iter().flatten() {
            schemas[format!("Profile.{name}")] = definition.clone();
        }
    }
    schemas["Profile"] = profile;
    document
}

/// The schema of a JSON merge patch: any of the fields, each of which may be null or partial.
fn patch(profile: &Value) -> Value {
    let fields = profile["properties"].as_object();
    let fields: Map<String, Value> = fields
        .into_iter()
        .flatten()
        .map(|(name, field)| match field.get("description") {
            Some(description) => (name.clone(), json!({ "description": description })),
            None => (name.clone(), json!({})),
        })
        .collect();
    json!({
        "description": "A JSON merge patch (RFC 7396): null removes a field.",
        "type": "object",
        "properties": fields,
        "additionalProperties": false,
    })
}

/// A schema whose references lead to the components of the description.
fn relocated(schema: Value) -> Value {
    match schema {
        Value::String(text) => match text.strip_prefix("#/$defs/") {
            Some(name) => format!("#/components/schemas/Profile.{name}").into(),
            None => Value::String(text),
        },
        Value::Array(items) => items.into_iter().map(relocated).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            Value::Object(fields.map(|(name, it)| (name, relocated(it))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_the_description_is_there() {
        let profile = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "properties": { "part": { "$ref": "#/$defs/Part" } },
            "$defs": { "Part": { "items": { "$ref": "#/$defs/Part" } } },
        });
        let document = document("it", "{}", profile);
        let schemas = &document["components"]["schemas"];
        let part = "#/components/schemas/Profile.Part";
        assert_eq!(schemas["Profile"]["properties"]["part"]["$ref"], part);
        assert_eq!(schemas["Patch"]["properties"], json!({ "part": {} }));
        let text = document.to_string();
        let references = text.split("\"$ref\":\"#").skip(1);
        let references: Vec<&str> = references
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(references.len() > 10, "{references:?}");
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
