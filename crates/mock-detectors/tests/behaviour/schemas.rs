//! Bodies of the admin API match their schemas in its description.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Client, start};

/// The target of `$ref`, or the value itself.
fn resolved<'a>(api: &'a Value, part: &'a Value) -> &'a Value {
    match part["$ref"].as_str() {
        Some(place) => api
            .pointer(place.trim_start_matches('#'))
            .expect("a reference within the description"),
        None => part,
    }
}

/// The errors of a body by the schema of a request or a response.
fn errors(api: &Value, part: &Value, body: &Value) -> Vec<String> {
    let contents = resolved(api, part)["content"].as_object();
    let content = contents.and_then(|contents| contents.values().next());
    let content = content.unwrap_or_else(|| panic!("no schema: {part}"));
    let whole = json!({ "allOf": [content["schema"]], "components": api["components"] });
    let validator = jsonschema::validator_for(&whole).expect("a valid schema");
    let errors = validator.iter_errors(body);
    errors.map(|error| error.to_string()).collect()
}

/// The documented path of a request, with its parameter instead of a name.
fn described(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let mut parts: Vec<&str> = path.split('/').collect();
    if parts.get(2) == Some(&"overlays") {
        parts[3] = "{name}";
    }
    parts.join("/")
}

#[tokio::test]
async fn bodies_of_the_admin_api_match_their_schemas() {
    let fleet = start(json!({"latency": {"uniform": {"min_ms": 0, "max_ms": 1}}})).await;
    let mut client = Client::to(&fleet).await;
    let api = client.get("/__admin/openapi.json").await.body;
    let profile = client.get("/__admin/profile").await.body;
    let calls = [
        ("GET /__admin", Value::Null, 200),
        ("GET /__admin/profile", Value::Null, 200),
        ("GET /__admin/schema", Value::Null, 200),
        ("PUT /__admin/profile", profile, 200),
        ("PUT /__admin/profile", json!({"succes_rate": 1}), 422),
        (
            "PATCH /__admin/profile?ttl_ms=60000",
            json!({"success_rate": 0.5, "latency": null}),
            200,
        ),
        ("PATCH /__admin/profile", json!({"succes_rate": 1}), 422),
        ("PATCH /__admin/profile", json!("fast"), 422),
        (
            "PUT /__admin/overlays/slow?ttl_ms=60000",
            json!({"latency": {"constant": {"ms": 1}}}),
            200,
        ),
        ("PUT /__admin/overlays/slow", json!({"latencies": {}}), 422),
        ("GET /__admin", Value::Null, 200),
        (
            "POST /__admin/overlays/slow/renew?ttl_ms=60000",
            Value::Null,
            200,
        ),
        ("DELETE /__admin/overlays/slow", Value::Null, 200),
        ("DELETE /__admin/overlays/slow", Value::Null, 404),
        ("POST /__admin/overlays/slow/renew", Value::Null, 404),
        ("POST /__admin/record", Value::Null, 409),
        ("GET /__admin/plan?n=3", Value::Null, 200),
        ("GET /__admin/plan?n=three", Value::Null, 422),
        ("POST /detect", json!({"content": "x"}), 0),
        ("POST /__admin/record", Value::Null, 200),
        ("GET /__admin/journal", Value::Null, 200),
        ("GET /__admin/journal?fault=1&status=x", Value::Null, 422),
        ("GET /__admin/verify?count=1", Value::Null, 200),
        ("GET /__admin/verify?count=2", Value::Null, 417),
        ("DELETE /__admin/journal", Value::Null, 200),
        ("POST /__admin/reset", Value::Null, 200),
    ];
    let mut tried = BTreeSet::new();
    for (line, body, status) in calls {
        let sent = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into()
        };
        let answer = client.send(line, &[], sent).await;
        if status == 0 {
            continue;
        }
        assert_eq!(answer.status.as_u16(), status, "{line}: {}", answer.body);
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let operation = &api["paths"][described(path)][method.to_lowercase()];
        let response = &operation["responses"][status.to_string()];
        assert_eq!(errors(&api, response, &answer.body), [""; 0], "{line}");
        if status == 200 {
            tried.insert(format!("{method} {}", described(path)));
        }
        if !body.is_null() {
            let found = errors(&api, &operation["requestBody"], &body);
            assert_eq!(found.is_empty(), status == 200, "{line}: {found:?}");
        }
    }
    let stale = [("if-match", "\"0\"")];
    let refused = client
        .send("PATCH /__admin/profile", &stale, "{}".into())
        .await;
    assert_eq!(refused.status.as_u16(), 412);
    let response = &api["paths"]["/__admin/profile"]["patch"]["responses"]["412"];
    assert_eq!(errors(&api, response, &refused.body), [""; 0]);
    for (path, operations) in api["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            let line = format!("{} {path}", method.to_uppercase());
            assert!(tried.contains(&line), "{line} was not tried");
        }
    }
    fleet.stop().await;
}
