//! The published schema of `report.json`.

use std::path::Path;

use report::record;
use serde_json::Value;

/// Set it to write the schema instead of checking it.
const WRITE: &str = "WRITE_REPORT_SCHEMA";

#[test]
fn the_published_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas/report.schema.json");
    let mut text = serde_json::to_string_pretty(&record::schema()).expect("a schema is JSON");
    text.push('\n');
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &text).expect("docs/schemas can be written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == text,
        "docs/schemas/report.schema.json is out of date: {WRITE}=1 cargo test -p report schema"
    );
}

#[test]
fn a_newer_format_is_refused_and_what_is_no_record_named() {
    let newer =
        record::read(r#"{"schema": 2, "whatever": true}"#).expect_err("schema 2 is not out");
    assert_eq!(
        newer.to_string(),
        "schema 2 is newer than 1, the newest that this version reads"
    );
    let other = record::read(r#"{"schema": 1, "run": 5}"#).expect_err("run is text");
    assert!(other.to_string().contains("line 1 column"), "{other}");
    let schema: Value = record::schema();
    assert!(
        schema["required"]
            .as_array()
            .is_some_and(|all| all.contains(&"plan_hash".into()))
    );
}
