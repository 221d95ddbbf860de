//! The API of a mock detector besides its admin API, as OpenAPI.

use detector_api::detect::DETECT_BATCH_PATH;
use detector_api::dialect::Dialect;
use serde_json::{Value, json};

/// The calls of a dialect, health and metrics. Bodies are those of the contract that the dialect follows.
pub(crate) fn openapi(name: &str, dialect: Dialect) -> Value {
    let mut paths = json!({
        "/health": {"get": {
            "summary": "The health of the detector.",
            "responses": {"200": {"description": "It is healthy."}},
        }},
        "/metrics": {"get": {
            "summary": "Metrics for Prometheus.",
            "responses": {"200": {"description": "The metrics."}},
        }},
    });
    let call = |summary: &str, example: Value| {
        json!({"post": {
            "summary": summary,
            "requestBody": {
                "required": true,
                "content": {"application/json": {"schema": {"type": "object"}, "example": example}},
            },
            "responses": {
                "200": {"description": "The findings, in the format of the dialect."},
                "default": {"description": "An error in the format of the dialect, as the profile determines it."},
            },
        }})
    };
    paths[dialect.path()] = call("Examines one content.", example(dialect));
    if dialect == Dialect::Native {
        let batch = json!({"items": [{"content": "Write to jane@example.com"}]});
        paths[DETECT_BATCH_PATH] = call("Examines several contents.", batch);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": "1",
            "description": "A mock detector of sparring. Its profile determines its behaviour.",
        },
        "paths": paths,
    })
}

fn example(dialect: Dialect) -> Value {
    let content = "Write to jane@example.com";
    match dialect {
        Dialect::Native => json!({"content": content, "content_type": "text"}),
        Dialect::Fms => json!({"contents": [content], "detector_params": {}}),
        Dialect::OpenAi => json!({"input": content}),
        Dialect::Azure => json!({"text": content}),
        Dialect::Presidio => json!({"text": content, "language": "en"}),
    }
}
