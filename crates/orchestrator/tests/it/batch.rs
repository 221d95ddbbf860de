//! Many requests at once.

use http::Method;
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, request, settings, start};

#[tokio::test]
async fn every_entry_keeps_its_place_and_fails_independently() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let entries = json!([
        request(json!({"content": "one"})),
        {"content": "no type"},
        request(json!({"content": "three"})),
        7,
    ]);
    for body in [entries.clone(), json!({"requests": entries})] {
        let answer = service.post("/orchestrate/batch", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let results = answer.json["results"].as_array().expect("a list");
        assert_eq!(results.len(), 4);
        assert_eq!(results[0]["coverage_achieved"], 1.0);
        assert_eq!(results[1]["error_code"], "INVALID_REQUEST");
        assert_eq!(results[2]["coverage_achieved"], 1.0);
        let errors = answer.json["errors"].as_array().expect("a list");
        let places: Vec<&Value> = errors.iter().map(|error| &error["index"]).collect();
        assert_eq!(places, [1, 3]);
    }
}

#[tokio::test]
async fn without_errors_errors_is_null() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let answer = service
        .post("/orchestrate/batch", &json!([request(json!({}))]))
        .await;
    assert_eq!(answer.json["errors"], Value::Null);
}

#[tokio::test]
async fn a_batch_has_one_to_a_hundred_entries() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    for (count, status) in [(0, 400), (1, 200), (100, 200), (101, 400)] {
        let entries: Vec<Value> = (0..count).map(|_| request(json!({}))).collect();
        let answer = service.post("/orchestrate/batch", &json!(entries)).await;
        assert_eq!(answer.status, status, "{count} entries");
    }
    assert_eq!(
        service
            .post("/orchestrate/batch", &json!({"request": []}))
            .await
            .status,
        400
    );
}

async fn keyed(service: &Service, path: &str, body: &Value) -> Response {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    service
        .send(Method::POST, path, &headers, body.to_string())
        .await
}

#[tokio::test]
async fn the_same_key_runs_a_batch_once() {
    let a = Detector::start(Act::Clean).await;
    let mut config = config(vec![settings("a", &a)]);
    config.cache.enabled = false;
    let service = start(config).await;
    let path = "/orchestrate/batch";
    let body = json!([request(json!({})), {"content": "no type"}]);
    let first = keyed(&service, path, &body).await;
    assert_eq!(first.header("idempotency-key"), "k");
    let again = keyed(&service, path, &body).await;
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!((again.text, a.count()), (first.text, 1));
    let other = json!([request(json!({"content": "other"}))]);
    assert_eq!(keyed(&service, path, &other).await.status, 409);
    // A body that is valid for both endpoints is a different request to each.
    let mut both = request(json!({}));
    both["requests"] = json!([request(json!({}))]);
    assert_eq!(keyed(&service, "/orchestrate", &both).await.status, 409);
}

#[tokio::test]
async fn a_batch_in_which_all_entries_failed_can_be_retried_with_its_key() {
    let a = Detector::start(Act::Status(400, None)).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let body = json!([request(json!({}))]);
    let path = "/orchestrate/batch";
    assert_eq!(
        keyed(&service, path, &body)
            .await
            .header("idempotent-replayed"),
        ""
    );
    a.act(Act::Clean);
    let again = keyed(&service, path, &body).await;
    assert_eq!(again.json["errors"], Value::Null, "{}", again.text);
}
