//! The HTTP API of a system as an OpenAPI 3.1 document, derived from the document in force.

mod answer;
mod example;
mod failure;
mod request;

use serde_json::{Map, Value as Json, json};

use crate::document::{AuthMode, Document, Endpoint};
pub(crate) use example::example;
use request::Shape;

/// Headers that identify a request; equal ids draw equal demands.
const NAMES: [(&str, &str); 3] = [
    (
        "X-Request-Id",
        "Identifies the request; equal ids give equal demands",
    ),
    (
        "X-Tenant-ID",
        "The tenant; its requests are counted separately",
    ),
    (
        "X-Attempt",
        "The attempt, from 1; anything else counts as 1",
    ),
];

/// The OpenAPI document of a system. The admin API is not part of it.
pub fn openapi(document: &Document) -> Json {
    let mut paths = own();
    for (name, endpoint) in &document.endpoints {
        let (method, path) = endpoint
            .route
            .split_once(' ')
            .unwrap_or(("GET", &endpoint.route));
        let operations = paths.entry(path).or_insert_with(|| json!({}));
        operations[method.to_ascii_lowercase()] = operation(document, name, endpoint, path);
    }
    let mut components = json!({
        "schemas": { "Error": failure::schema() },
        "parameters": NAMES.iter().map(|(name, about)| ((*name).to_owned(), header(name, about))).collect::<Map<_, _>>(),
        "headers": {
            "Decision": { "description": "Revision, index, key, fault and times of the request", "schema": { "type": "string" } },
            "ServerTiming": { "description": "Time of each component in ms, and of all waiting", "schema": { "type": "string" } },
        },
    });
    if document.edge.auth.is_some() {
        components["securitySchemes"] = json!({ "bearer": { "type": "http", "scheme": "bearer" } });
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": document.system,
            "description": document.description,
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths,
        "components": components,
    })
}

fn operation(document: &Document, name: &str, endpoint: &Endpoint, path: &str) -> Json {
    let shape = Shape::new(document, endpoint);
    let mut operation = json!({ "operationId": name, "summary": endpoint.title });
    let names = NAMES.map(|(name, _)| json!({ "$ref": format!("#/components/parameters/{name}") }));
    let parameters = shape.parameters(path).into_iter().chain(names);
    operation["parameters"] = parameters.collect();
    if let Some(body) = shape.body(endpoint) {
        operation["requestBody"] = body;
    }
    operation["responses"] = responses(document, endpoint, &shape);
    if let Some(auth) = &document.edge.auth {
        operation["security"] = match auth.mode {
            _ if endpoint.login.is_some() => json!([]),
            AuthMode::Optional => json!([{}, { "bearer": [] }]),
            AuthMode::Required => json!([{ "bearer": [] }]),
        };
    }
    operation
}

fn responses(document: &Document, endpoint: &Endpoint, shape: &Shape) -> Json {
    let mut responses = Map::new();
    if endpoint.socket.is_some() {
        responses.insert("101".into(), json!({ "description": "A WebSocket begins" }));
    } else {
        let success = json!({
            "description": "Success",
            "headers": {
                "X-Sparring-Decision": { "$ref": "#/components/headers/Decision" },
                "Server-Timing": { "$ref": "#/components/headers/ServerTiming" },
            },
            "content": { "application/json": { "schema": answer::schema(&endpoint.answer, shape) } },
        });
        responses.insert(endpoint.answer.status.to_string(), success);
    }
    for (status, causes) in failure::of(document, endpoint) {
        let failed = json!({
            "description": causes,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
        });
        responses.entry(status).or_insert(failed);
    }
    Json::Object(responses)
}

fn header(name: &str, about: &str) -> Json {
    json!({
        "name": name,
        "in": "header",
        "description": about,
        "schema": { "type": "string", "maxLength": 256, "pattern": "^[\\t -~]*$" },
    })
}

/// The routes that every system has.
fn own() -> Map<String, Json> {
    let is = |about: &str, kind: &str, schema: &Json| json!({ "description": about, "content": { kind: { "schema": schema } } });
    let health = json!({
        "type": "object",
        "required": ["status", "system", "components"],
        "properties": {
            "status": { "enum": ["healthy", "degraded", "unhealthy"] },
            "system": { "type": "string" },
            "components": { "type": "object", "additionalProperties": { "enum": ["up", "down"] } },
        },
    });
    let ready = json!({ "type": "object", "required": ["ready"], "properties": { "ready": { "type": "boolean" } } });
    let alive = json!({ "type": "object", "required": ["status"], "properties": { "status": { "const": "alive" } } });
    let (text, any) = (json!({ "type": "string" }), json!({ "type": "object" }));
    let json_type = "application/json";
    let paths = [
        (
            "/health",
            "The health of each component",
            json!({
                "200": is("Healthy, or degraded while an instance is down", json_type, &health),
                "503": is("A host has no instance", json_type, &health),
            }),
        ),
        (
            "/health/live",
            "Whether the process responds",
            json!({ "200": is("It does", json_type, &alive) }),
        ),
        (
            "/health/ready",
            "Whether every host has an instance",
            json!({
                "200": is("Each has", json_type, &ready),
                "503": is("A host has no instance", json_type, &ready),
            }),
        ),
        (
            "/metrics",
            "Metrics for Prometheus",
            json!({ "200": is("Metrics", "text/plain", &text) }),
        ),
        (
            "/docs",
            "An overview of the system, as a page",
            json!({ "200": is("A page", "text/html", &text) }),
        ),
        (
            "/openapi.json",
            "This document",
            json!({ "200": is("The document", json_type, &any) }),
        ),
    ];
    paths
        .into_iter()
        .map(|(path, summary, responses)| {
            (
                path.to_owned(),
                json!({ "get": { "summary": summary, "responses": responses } }),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{System, systems};

    fn described(name: &str) -> Json {
        let system = System::read(systems::text(name).expect("an embedded system"));
        openapi(&system.expect("no errors").document)
    }

    #[test]
    fn rules_of_fields_are_a_schema() {
        let document = described("aiaas");
        let create = &document["paths"]["/api/v1/workflows"]["post"];
        let body = &create["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["required"], json!(["name", "nodes", "edges"]));
        let nodes = &body["properties"]["nodes"];
        assert_eq!(
            (&nodes["type"], &nodes["minItems"], &nodes["maxItems"]),
            (&json!("array"), &json!(1), &json!(100)),
            "{nodes}"
        );
        assert_eq!(nodes["items"]["required"], json!(["id", "type"]));
        assert_eq!(
            nodes["items"]["properties"]["type"]["enum"],
            json!(["input", "llm", "tool", "output"])
        );
        let answer = &create["responses"]["201"]["content"]["application/json"]["schema"];
        assert_eq!(
            answer["properties"]["status"],
            json!({ "const": "created" })
        );
    }

    #[test]
    fn parameters_are_named_where_they_are_read() {
        let document = described("acis");
        let named = |path: &str, method: &str| -> Vec<String> {
            let parameters = document["paths"][path][method]["parameters"].as_array();
            let named = parameters.into_iter().flatten().filter_map(|one| {
                Some(format!("{} {}", one["in"].as_str()?, one["name"].as_str()?))
            });
            named.collect()
        };
        assert_eq!(named("/api/jobs/{id}", "get"), ["path id"]);
        assert_eq!(named("/api/ml/train", "post"), ["query wait"]);
        assert_eq!(named("/api/ml/predict", "get"), ["query symbol"]);
    }

    #[test]
    fn each_endpoint_tells_the_failures_that_its_flow_can_have() {
        let document = described("agent360");
        let statuses = |path: &str, method: &str| -> Vec<String> {
            let responses = document["paths"][path][method]["responses"].as_object();
            responses.expect("responses").keys().cloned().collect()
        };
        let step = statuses("/workflow/{id}/step", "post");
        assert!(step.contains(&"404".to_owned()), "{step:?}");
        assert!(step.contains(&"409".to_owned()), "{step:?}");
        let execute = statuses("/agent/execute", "post");
        assert!(!execute.contains(&"404".to_owned()), "{execute:?}");
        assert!(execute.contains(&"422".to_owned()), "{execute:?}");
    }
}
