//! The description says what there is, and there is what it says.

use http::Method;
use serde_json::Value;

use crate::service::{config, start};

#[tokio::test]
async fn every_described_operation_exists_and_takes_its_method() {
    let service = start(config(Vec::new())).await;
    let api = service.get("/openapi.json").await.json;
    assert_eq!(api["openapi"], "3.1.0");
    let paths = api["paths"].as_object().expect("paths");
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("methods") {
            // A stream does not end by itself.
            if path == "/events/stream" {
                continue;
            }
            let place = path.replace(['{', '}'], "");
            let method: Method = method.to_uppercase().parse().expect("a method");
            let answer = service.send(method.clone(), &place, &[], "").await;
            let status = answer.status.to_string();
            assert!(
                operation["responses"][&status] != Value::Null,
                "{method} {path} answers {status}, which is not described: {}",
                answer.text
            );
            assert!(![405, 501].contains(&answer.status), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let page = start(config(Vec::new())).await.get("/docs").await;
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(!page.text.contains("http://") && !page.text.contains("https://"));
}
