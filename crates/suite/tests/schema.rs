//! The published JSON schema of suite files: it matches the types, and the built-in files match it.

use std::path::Path;

use jsonschema::Validator;
use serde_json::json;
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
    let validator = validator();
    for (name, text) in BUILT_IN {
        let value = live_config::read::yaml(text).expect("YAML");
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

#[test]
fn an_editor_is_told_of_unknown_fields_and_wrong_values() {
    let validator = validator();
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
        assert!(!validator.is_valid(&wrong), "{path}");
    }
}

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).expect("a sound schema")
}
