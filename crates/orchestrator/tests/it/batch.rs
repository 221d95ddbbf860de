//! Many requests at once.

use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{config, request, settings, start};

#[tokio::test]
async fn every_entry_keeps_its_place_and_fails_alone() {
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
