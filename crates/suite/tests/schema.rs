//! The published JSON schema of suite files: that of the types, and one that the shipped files keep to.

use std::path::Path;

use serde_json::{Value, json};
use suite::builtin::BUILT_IN;
use suite::file::schema;

#[test]
fn the_published_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas/suite.schema.json");
    let mut text = serde_json::to_string_pretty(&schema()).expect("a schema is JSON");
    text.push('\n');
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == text,
        "docs/schemas/suite.schema.json is out of date: run `cargo xtask reference`"
    );
}

#[test]
fn the_shipped_suites_keep_to_the_schema() {
    let schema = schema();
    for (name, text) in BUILT_IN {
        let value = live_config::read::yaml(text).expect("YAML");
        assert_eq!(faults(&schema, &schema, &value, name), Vec::<String>::new());
    }
}

#[test]
fn an_editor_is_told_of_unknown_fields_and_wrong_values() {
    let schema = schema();
    let (_, text) = BUILT_IN[3];
    let sound = live_config::read::yaml(text).expect("YAML");
    for (path, value) in [
        ("/tests/load/uesrs", json!(["ACISAPIUser"])),
        ("/tests/load/model", json!("half-open")),
        ("/tests/load/phases/0/ramp/to", json!("many")),
        ("/classes/ACISAPIUser/wait_s", json!([1])),
        ("/views", json!(["pdf"])),
        ("/alerts", json!({ "sinks": [{ "pager": {} }] })),
        ("/resources", json!({ "cgroups": "x" })),
    ] {
        let mut wrong = sound.clone();
        let (parent, name) = path.rsplit_once('/').expect("a path");
        let parent = wrong.pointer_mut(parent).expect("it is there");
        parent[name] = value;
        assert!(!faults(&schema, &schema, &wrong, "").is_empty(), "{path}");
    }
}

/// What a value has that its schema does not allow: of JSON Schema the keywords that this schema uses.
fn faults(whole: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    if schema == &json!(true) {
        return Vec::new();
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let target = whole.pointer(reference.trim_start_matches('#'));
        let target = target.unwrap_or_else(|| panic!("no {reference}"));
        let mut found = faults(whole, target, value, path);
        found.extend(faults(whole, &without(schema, "$ref"), value, path));
        return found;
    }
    let mut found = Vec::new();
    let mut fault = |text: String| found.push(format!("{path}: {text}"));
    if !has_type(&schema["type"], value) {
        fault(format!("{value} is not of type {}", schema["type"]));
    }
    if schema["enum"]
        .as_array()
        .is_some_and(|all| !all.contains(value))
    {
        fault(format!("{value} is none of {}", schema["enum"]));
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        fault(format!("{value} is not {}", schema["const"]));
    }
    for keyword in ["minimum", "maximum"] {
        let bound = schema[keyword].as_f64().zip(value.as_f64());
        if bound.is_some_and(|(bound, value)| {
            (keyword == "minimum") == (value < bound) && value != bound
        }) {
            fault(format!("{value} is beyond the {keyword}"));
        }
    }
    let length = value.as_array().map(Vec::len);
    let is_outside = |(length, least, most): (usize, Option<u64>, Option<u64>)| {
        least.is_some_and(|least| (length as u64) < least)
            || most.is_some_and(|most| (length as u64) > most)
    };
    let bounds = (schema["minItems"].as_u64(), schema["maxItems"].as_u64());
    if length.is_some_and(|length| is_outside((length, bounds.0, bounds.1))) {
        fault("has not as many items as it may".to_owned());
    }
    found.extend(of_alternatives(whole, schema, value, path));
    found.extend(of_members(whole, schema, value, path));
    found
}

fn without(schema: &Value, keyword: &str) -> Value {
    let mut rest = schema.clone();
    if let Some(rest) = rest.as_object_mut() {
        rest.shift_remove(keyword);
    }
    rest
}

fn has_type(kind: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        other => panic!("unknown type {other}"),
    };
    match kind {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

fn of_alternatives(whole: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for keyword in ["oneOf", "anyOf"] {
        let Some(all) = schema[keyword].as_array() else {
            continue;
        };
        let tried: Vec<Vec<String>> = all
            .iter()
            .map(|one| faults(whole, one, value, path))
            .collect();
        let fitting = tried.iter().filter(|faults| faults.is_empty()).count();
        if fitting == 0 || (keyword == "oneOf" && fitting > 1) {
            found.push(format!(
                "{path}: {fitting} of {keyword} fit {value}: {tried:?}"
            ));
        }
    }
    found
}

fn of_members(whole: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
        let own = &schema["prefixItems"][place];
        let items = if own.is_null() { &schema["items"] } else { own };
        if !items.is_null() {
            found.extend(faults(whole, items, item, &format!("{path}[{place}]")));
        }
    }
    let Some(members) = value.as_object() else {
        return found;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap_or_default()) {
            found.push(format!("{path}: lacks {name}"));
        }
    }
    for (name, member) in members {
        let path = format!("{path}.{name}");
        let known = &schema["properties"][name];
        let other = &schema["additionalProperties"];
        if !known.is_null() {
            found.extend(faults(whole, known, member, &path));
        } else if other == &json!(false) {
            found.push(format!("{path}: is not known"));
        } else if other.is_object() {
            found.extend(faults(whole, other, member, &path));
        }
    }
    found
}
