//! Outcomes of requests: time limits, conflicts, and the bounds of answers and events.

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::contract::send;
use crate::detector::{Act, Detector};
use crate::service::{config, request, settings, start};

#[tokio::test]
async fn the_service_level_depends_on_the_priority_and_the_mode() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    for (more, deadline_ms) in [
        (json!({}), 2_000.0),
        (json!({"priority": "high"}), 2_000.0),
        (json!({"priority": "critical"}), 1_000.0),
        (json!({"priority": "low"}), 5_000.0),
    ] {
        let plan = service
            .post("/orchestrate/plan", &request(more.clone()))
            .await;
        assert_eq!(plan.json["deadline_ms"], deadline_ms, "{more}");
    }
}

#[tokio::test]
async fn conflicts_are_resolved_by_policy_or_content_type_and_deterministically() {
    let acts = [
        Act::Find("x", 0.9),
        Act::Find("x", 0.8),
        Act::Find("y", 0.95),
    ];
    let (mut running, mut all) = (Vec::new(), Vec::new());
    for (name, act) in ["a", "b", "c"].into_iter().zip(acts) {
        let detector = Detector::start(act).await;
        all.push(settings(name, &detector));
        running.push(detector);
    }
    let mut uncached = config(all);
    uncached.cache.enabled = false;
    let service = start(uncached).await;
    for (content_type, method, output) in [
        ("text", "weighted_average", "y|x"),
        ("image", "highest_confidence", "y"),
        ("document", "most_restrictive", "y|x"),
        ("code", "majority_vote", "x"),
    ] {
        let ask = || service.orchestrate(json!({ "content_type": content_type }));
        for answer in futures_util::future::join_all((0..5).map(|_| ask())).await {
            let payload = &answer.json["aggregated_payload"];
            assert_eq!(payload["detector"], "orchestrated-multi");
            assert_eq!(
                payload["metadata"]["aggregation_method"], method,
                "{content_type}"
            );
            assert_eq!(payload["output"], output, "{method}");
            assert_eq!(payload["metadata"]["conflict_resolution_applied"], true);
        }
    }
    for (policy, output) in [
        (
            json!({"conflict_method": "tenant_preference", "preference": ["b"]}),
            "x",
        ),
        (
            json!({"conflict_method": "tenant_preference", "preference": ["c"]}),
            "y",
        ),
        (json!({"conflict_method": "majority_vote"}), "x"),
    ] {
        let put = service.send(Method::PUT, "/policies/t/p", &[], policy.to_string());
        assert_eq!(put.await.status, 200);
        let answer = service.orchestrate(json!({"policy_bundle": "p"})).await;
        assert_eq!(
            answer.json["aggregated_payload"]["output"], output,
            "{policy}"
        );
    }
}

#[tokio::test]
async fn thousands_of_labels_give_a_bounded_answer() {
    let detections: Vec<Value> = (0..5_000)
        .map(|n| {
            let label = format!("{n:04}{}", "x".repeat(100));
            json!({
                "start": 0, "end": 1, "text": "h", "label": label, "category": "c", "score": 0.1,
            })
        })
        .collect();
    let body = json!({
        "request_id": "r", "detector": "a", "output": detections[0]["label"], "confidence": 0.9,
        "detections": detections, "processing_time_ms": 1,
    });
    let (a, b) = (
        Detector::start(Act::Body(body.to_string())).await,
        Detector::start(Act::Reset).await,
    );
    let mut open = settings("b", &b);
    open.on_failure = orchestrator::config::OnFailure::Open;
    let mut bounded = config(vec![settings("a", &a), open]);
    bounded.limits.answer_bytes = 8 << 20;
    let service = start(bounded).await;
    let answer = send(&service, &[("x-request-id", "r")], &request(json!({}))).await;
    assert_eq!(
        answer.result("a")["status"],
        "success",
        "{}",
        &answer.text[..500]
    );
    let payload = &answer.json["aggregated_payload"];
    assert!(payload.to_string().len() <= 64 * 1024);
    assert_eq!(payload["metadata"]["truncated"], true);
    let reasons = answer.json["verdict_reasons"].as_array().expect("a list");
    assert!(reasons.len() < 300, "{}", reasons.len());
    let named = reasons.iter().any(|it| {
        it.as_str()
            .is_some_and(|it| it.contains("detector b did not answer"))
    });
    assert!(named, "a detector without an answer is named too");
}

#[tokio::test]
async fn a_thousand_incidents_are_kept_and_an_idle_stream_is_kept_alive() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    for _ in 0..510 {
        service
            .post("/circuit-breakers/a/force-open", &json!({}))
            .await;
        service.post("/circuit-breakers/a/reset", &json!({})).await;
    }
    let kept = service.get("/events/incidents").await;
    assert_eq!(kept.json["incidents"].as_array().map(Vec::len), Some(1_000));
    let mut stream = service.open("/events/stream").await;
    let frame = tokio::time::timeout(Duration::from_secs(60), stream.frame()).await;
    let frame = frame.expect("in time").expect("goes on").expect("unbroken");
    let text = String::from_utf8_lossy(frame.data_ref().expect("data")).into_owned();
    assert!(text.starts_with(": keep-alive"), "{text}");
}

#[tokio::test]
async fn health_checks_do_not_count_in_latencies_or_breaker_windows() {
    let a = Detector::start(Act::Clean).await;
    let mut often = config(vec![settings("a", &a)]);
    often.health.interval = Duration::from_millis(5);
    let service = start(often).await;
    let checks = "detector_health_check_duration_ms_count{detector=\"a\"} ";
    let mut seen = 0;
    for _ in 0..1_000 {
        let text = service.get("/metrics").await.text;
        let count = text
            .lines()
            .find_map(|line| line.strip_prefix(checks)?.parse().ok());
        seen = count.unwrap_or(0);
        if seen >= 10 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(seen >= 10, "{seen} checks");
    let text = service.get("/metrics").await.text;
    let calls = "detector_latency_ms_count{";
    let mut latencies = text
        .lines()
        .filter(|line| line.starts_with(calls))
        .peekable();
    assert!(latencies.peek().is_some(), "{text}");
    assert!(latencies.all(|line| line.ends_with(" 0")), "{text}");
    assert_eq!(a.count(), 0);
    let breakers = service.get("/circuit-breakers").await;
    assert_eq!(breakers.json["circuit_breakers"][0]["window"]["calls"], 0);
}

#[tokio::test]
async fn the_number_of_series_stays_the_same_under_load() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Status(500, None)).await,
    );
    let service = start(config(vec![settings("a", &a), settings("b", &b)])).await;
    let mut counts = Vec::new();
    for round in 0..4 {
        let content = |n: usize| json!({"content": format!("{round} {n}")});
        let asked = (0..50).map(|n| service.orchestrate(content(n)));
        futures_util::future::join_all(asked).await;
        let text = service.get("/metrics").await.text;
        counts.push(text.lines().filter(|line| !line.starts_with('#')).count());
    }
    // The first rounds produce all kinds of outcomes: answers, failures, an open breaker.
    assert_eq!(counts[2], counts[3], "{counts:?}");
}
