//! The OpenAPI description matches the service.

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
            // A stream does not end on its own.
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
async fn the_page_is_self_contained() {
    let service = start(config(Vec::new())).await;
    for path in ["/docs", "/"] {
        let page = service.get(path).await;
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(!page.text.contains("http://") && !page.text.contains("https://"));
    }
    let script = service.get("/docs/ui/swagger-ui-bundle.js").await;
    assert_eq!(script.status, 200);
    assert!(script.text.len() > 1_000_000);
}

#[tokio::test]
async fn what_the_first_page_links_to_is_there() {
    let service = start(config(Vec::new())).await;
    let page = service.get("/").await.text;
    let links: Vec<&str> = page
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(links.len() > 5, "{page}");
    for link in links.into_iter().filter(|link| *link != "/events/stream") {
        let status = service.get(link).await.status;
        assert!([200, 503].contains(&status), "{link}: {status}");
    }
}
