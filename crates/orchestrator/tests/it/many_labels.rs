//! Answers with very many labels: their number does not change the verdict, and the response is bounded.

use http::Method;
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, request, settings, start};

const LABELS: usize = 9_000;

/// An answer with many weak labels, and optionally one that blocks among them.
fn stuffed(prefix: &str, labels: usize, evil: Option<f64>) -> Act {
    let found = |label: String, score: f64| json!({"start": 0, "end": 0, "text": "", "label": label, "category": "c", "score": score});
    let mut all: Vec<Value> = (0..labels)
        .map(|n| found(format!("{prefix}{n}"), if n % 2 == 0 { 0.4 } else { 0.55 }))
        .collect();
    all.extend(evil.map(|score| found("evil".to_owned(), score)));
    let body = json!({
        "request_id": "many", "detector": "d", "output": format!("{prefix}0"), "confidence": 0.5,
        "detections": all, "processing_time_ms": 1,
    });
    Act::Body(body.to_string())
}

async fn ask(service: &Service, more: Value) -> Response {
    let headers = [("x-request-id", "many")];
    let body = request(more).to_string();
    service
        .send(Method::POST, "/orchestrate", &headers, body)
        .await
}

#[tokio::test]
async fn a_blocking_label_is_found_among_any_number_of_labels() {
    let a = Detector::start(stuffed("a", LABELS, Some(0.9))).await;
    let b = Detector::start(stuffed("b", LABELS, None)).await;
    let service = start(config(vec![settings("a", &a), settings("b", &b)])).await;
    for method in ["weighted_average", "most_restrictive", "highest_confidence"] {
        let policy = json!({"block_score": 0.8, "conflict_method": method});
        let put = service
            .send(Method::PUT, "/policies/t/p", &[], policy.to_string())
            .await;
        assert_eq!(put.status, 200, "{}", put.text);
        let answer = ask(&service, json!({"policy_bundle": "p"})).await;
        assert_eq!(answer.json["verdict"], "block", "{method}");
        let payload = &answer.json["aggregated_payload"];
        let output = payload["output"].as_str().expect("labels");
        assert_eq!(output.split('|').next(), Some("evil"), "{method}");
        assert_eq!(payload["metadata"]["truncated"], true, "{method}");
        assert!(payload.to_string().len() <= 64 * 1024, "{method}");
        let reasons = answer.json["verdict_reasons"].as_array().expect("a list");
        assert_eq!(reasons[0], "detected evil with score 0.90", "{method}");
        assert!(reasons.len() <= 201, "{method}: {}", reasons.len());
    }
    let metrics = service.get("/metrics").await.text;
    let omitted = metrics
        .lines()
        .find_map(|line| line.strip_prefix("orchestrate_labels_omitted_total "));
    let omitted: f64 = omitted.expect("it is counted").parse().expect("a number");
    assert!(omitted >= LABELS as f64, "{omitted}");
}

#[tokio::test]
async fn stuffing_does_not_weaken_an_early_verdict() {
    let a = Detector::start(stuffed("a", LABELS, Some(1.0))).await;
    let b = Detector::start(stuffed("b", LABELS, None)).await;
    let service = start(config(vec![settings("a", &a), settings("b", &b)])).await;
    for collect in ["all", "until_decided"] {
        let policy = json!({"collect": collect, "block_score": 0.8});
        let put = service
            .send(Method::PUT, "/policies/t/p", &[], policy.to_string())
            .await;
        assert_eq!(put.status, 200, "{}", put.text);
        let answer = ask(&service, json!({"policy_bundle": "p"})).await;
        assert_eq!(answer.json["verdict"], "block", "{collect}");
    }
}
