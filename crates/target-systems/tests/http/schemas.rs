//! Bodies of the admin API match their schemas in its description.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::served::Served;

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
    let system = Served::start("acis").await;
    let api = system.get("/__admin/openapi.json").await.body;
    let document = system.get("/__admin/profile").await.body;
    let unknown = json!({"cpu_cores": 1});
    let calls = [
        ("GET /__admin", Value::Null, 200),
        ("GET /__admin/profile", Value::Null, 200),
        ("GET /__admin/schema", Value::Null, 200),
        ("PUT /__admin/profile", document, 200),
        ("PUT /__admin/profile", json!({"sistem": "x"}), 422),
        ("PATCH /__admin/profile", json!({"ageing": 2}), 200),
        ("PATCH /__admin/profile", json!({"aging": 2}), 422),
        (
            "PUT /__admin/overlays/small?ttl_ms=60000",
            json!({"hosts": {"api": {"cpu_cores": 1}}}),
            200,
        ),
        ("PUT /__admin/overlays/small", json!({"host": {}}), 422),
        (
            "POST /__admin/overlays/small/renew?ttl_ms=60000",
            Value::Null,
            200,
        ),
        ("DELETE /__admin/overlays/small", Value::Null, 200),
        ("DELETE /__admin/overlays/small", Value::Null, 404),
        ("GET /__admin/limits", Value::Null, 200),
        (
            "PATCH /__admin/limits",
            json!({"api": {"cpu_cores": 1}}),
            200,
        ),
        ("PATCH /__admin/limits", unknown, 422),
        ("GET /__admin/toggles", Value::Null, 200),
        ("PATCH /__admin/toggles", json!({"indexes": false}), 200),
        ("PATCH /__admin/toggles", json!({"indexes": "off"}), 422),
        ("GET /__admin/truth?rate_per_s=1", Value::Null, 200),
        ("GET /__admin/truth?mix=none", Value::Null, 404),
        ("GET /__admin/truth?rate_per_s=-1", Value::Null, 422),
        ("GET /__admin/resources", Value::Null, 200),
        ("GET /__admin/plan?n=2", Value::Null, 200),
        ("GET /__admin/plan?endpoint=none", Value::Null, 404),
        ("GET /__admin/plan?n=0", Value::Null, 422),
        ("POST /__admin/crash", json!({"host": "api"}), 200),
        ("POST /__admin/crash", json!({"instance": 0}), 422),
        (
            "POST /__admin/populate",
            json!({"store": "clients", "rows": 10}),
            200,
        ),
        ("POST /__admin/populate", json!({"store": "clients"}), 422),
        (
            "DELETE /__admin/populate",
            json!({"store": "clients", "rows": 10}),
            200,
        ),
        ("DELETE /__admin/populate", json!({"store": "clients"}), 422),
        ("GET /__admin/log", Value::Null, 200),
        ("GET /__admin/journal", Value::Null, 200),
        ("GET /__admin/verify?count=0", Value::Null, 200),
        ("GET /__admin/verify?count=2", Value::Null, 417),
        ("DELETE /__admin/journal", Value::Null, 200),
        ("POST /__admin/reset", Value::Null, 200),
    ];
    let mut tried = BTreeSet::new();
    for (line, body, status) in calls {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let text = body.to_string();
        let sent = Some(text.as_str()).filter(|_| !body.is_null());
        let answer = system.send(method, path, sent, &[]).await;
        assert_eq!(answer.status, status, "{line}: {}", answer.text);
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
    for (path, operations) in api["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            let line = format!("{} {path}", method.to_uppercase());
            assert!(tried.contains(&line), "{line} was not tried");
        }
    }
}
