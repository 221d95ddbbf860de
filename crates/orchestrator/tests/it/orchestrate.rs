//! The response to a single request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use detector_api::orchestrate::{OrchestrateResponse, Verdict};
use serde_json::json;

use crate::detector::{Act, Detector};
use crate::service::{config, request, settings, settings_at, start};

async fn three() -> [Detector; 3] {
    [
        Detector::start(Act::Clean).await,
        Detector::start(Act::Find("email", 0.9)).await,
        Detector::start(Act::Clean).await,
    ]
}

#[tokio::test]
async fn a_full_answer_has_every_field_of_the_contract() {
    let [a, b, c] = three().await;
    let detectors = vec![settings("a", &a), settings("b", &b), settings("c", &c)];
    let service = start(config(detectors)).await;
    let answer = service.orchestrate(json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let typed: OrchestrateResponse = serde_json::from_str(&answer.text).expect("the contract");
    assert_eq!(
        (typed.detectors_attempted, typed.detectors_succeeded),
        (3, 3)
    );
    assert_eq!(typed.coverage_achieved, 1.0);
    assert_eq!(typed.aggregated_payload.output, "email");
    assert_eq!(typed.verdict, Verdict::Block);
    assert_eq!(typed.timeline.len(), 3);
    let selected = &typed.routing_decision.selected_detectors;
    assert_eq!(selected[..], ["a", "b", "c"].map(Arc::from));
    assert!(!typed.fallback_used);
    assert_eq!(answer.header("x-cache"), "miss");
    assert_eq!(answer.header("x-orchestrator-request-id"), typed.request_id);
    assert!(answer.header("server-timing").contains("detectors;dur="));
}

#[tokio::test]
async fn detectors_are_asked_at_the_same_time() {
    let mut detectors = Vec::new();
    for _ in 0..16 {
        let slow = Act::Slow(Duration::from_millis(200), Box::new(Act::Clean));
        detectors.push(Detector::start(slow).await);
    }
    let named = detectors
        .iter()
        .enumerate()
        .map(|(n, it)| settings(&format!("d{n}"), it));
    let service = start(config(named.collect())).await;
    let answer = service.orchestrate(json!({})).await;
    // Sequential calls would take 3.2 s and miss the deadline of 2 s.
    assert_eq!(answer.json["detectors_succeeded"], 16);
}

#[tokio::test]
async fn a_detector_receives_id_attempt_deadline_tenant_and_trace() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [("x-request-id", "my-id"), ("traceparent", trace)];
    let body = request(json!({})).to_string();
    let answer = service
        .send(http::Method::POST, "/orchestrate", &headers, body)
        .await;
    assert_eq!(answer.json["request_id"], "my-id");
    let call = &a.calls()[0];
    assert_eq!(call.headers["x-request-id"], "my-id");
    assert_eq!(call.headers["x-attempt"], "1");
    assert_eq!(call.headers["x-tenant-id"], "t");
    assert_eq!(call.headers["traceparent"], trace);
    let left: u64 = call.headers["x-deadline-ms"].parse().expect("a number");
    assert!((1..=500).contains(&left), "{left} ms");
    assert_eq!(call.body["content"], "hello");
}

#[tokio::test]
async fn coverage_below_the_threshold_is_206_and_not_cached() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Status(500, None)).await,
    );
    let service = start(config(vec![settings("a", &a), settings("b", &b)])).await;
    for _ in 0..2 {
        let answer = service.orchestrate(json!({})).await;
        assert_eq!(answer.status, 206);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-cache"), "miss");
        assert_eq!(answer.json["error_code"], "PARTIAL_COVERAGE");
        assert_eq!(answer.json["fallback_used"], true);
        assert_eq!(answer.json["coverage_achieved"], 0.5);
        assert_eq!(answer.json["verdict"], "degraded");
        assert_eq!(answer.result("b")["status"], "failed");
    }
    assert_eq!(b.count(), 2);
}

#[tokio::test]
async fn the_status_of_a_partial_answer_is_a_setting() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Reset).await,
    );
    let mut config = config(vec![settings("a", &a), settings("b", &b)]);
    config.partial_status = 207;
    assert_eq!(start(config).await.orchestrate(json!({})).await.status, 207);
}

#[tokio::test]
async fn required_and_excluded_detectors_are_obeyed() {
    let [a, b, c] = three().await;
    let mut named = settings("b", &b);
    named.aliases = vec!["regex-pii".to_owned()];
    let service = start(config(vec![settings("a", &a), named, settings("c", &c)])).await;
    let answer = service
        .orchestrate(json!({"required_detectors": ["regex-pii", "a"]}))
        .await;
    let selected = &answer.json["routing_decision"]["selected_detectors"];
    assert_eq!(*selected, json!(["regex-pii", "a"]));
    assert_eq!(answer.result("regex-pii")["metadata"]["alias_of"], "b");
    let answer = service
        .orchestrate(json!({"excluded_detectors": ["regex-pii"]}))
        .await;
    assert_eq!(
        answer.json["routing_decision"]["selected_detectors"],
        json!(["a", "c"])
    );
    let answer = service
        .orchestrate(json!({"excluded_detectors": ["a", "b", "c"]}))
        .await;
    assert_eq!(
        (answer.status, answer.json["details"]["field"].as_str()),
        (400, Some("excluded_detectors"))
    );
}

#[tokio::test]
async fn an_unknown_detector_is_an_unavailable_result() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let answer = service
        .orchestrate(json!({"required_detectors": ["a", "nobody"]}))
        .await;
    assert_eq!(answer.status, 206);
    assert_eq!(answer.result("nobody")["status"], "unavailable");
    let answer = service
        .orchestrate(json!({"required_detectors": ["nobody"]}))
        .await;
    assert_eq!(
        (answer.status, answer.json["error_code"].as_str()),
        (502, Some("ALL_DETECTORS_UNAVAILABLE"))
    );
    assert_eq!(answer.json["retryable"], true);
}

#[tokio::test]
async fn no_reachable_detector_is_a_502_that_names_all_of_them() {
    let gone = "http://127.0.0.1:1/detect";
    let service = start(config(vec![settings_at("a", gone), settings_at("b", gone)])).await;
    let answer = service.orchestrate(json!({})).await;
    assert_eq!(
        (answer.status, answer.json["error_code"].as_str()),
        (502, Some("DETECTOR_COMMUNICATION_FAILED"))
    );
    assert!(answer.json["details"]["detectors"]["a"].is_string());
}

#[tokio::test]
async fn the_deadline_governs_connect_head_and_body() {
    for act in [Act::StallHead, Act::StallBody] {
        let (a, b) = (
            Detector::start(Act::Clean).await,
            Detector::start(act).await,
        );
        let mut slow = settings("b", &b);
        slow.timeout = Duration::from_secs(30);
        let service = start(config(vec![settings("a", &a), slow.clone()])).await;
        let begun = Instant::now();
        let answer = service.orchestrate(json!({"priority": "critical"})).await;
        assert!(begun.elapsed() >= Duration::from_millis(900));
        assert_eq!(answer.status, 206);
        assert_eq!(answer.result("b")["status"], "timeout");
        let service = start(config(vec![slow])).await;
        let answer = service.orchestrate(json!({"priority": "critical"})).await;
        assert_eq!(
            (answer.status, answer.json["error_code"].as_str()),
            (408, Some("REQUEST_TIMEOUT"))
        );
    }
}

#[tokio::test]
async fn an_answer_is_cached_per_tenant_and_critical_bypasses_it() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let mut seen = Vec::new();
    for more in [
        json!({}),
        json!({}),
        json!({"tenant_id": "other"}),
        json!({"priority": "critical"}),
        json!({"content_type": "code"}),
        json!({"priority": "low"}),
    ] {
        seen.push(service.orchestrate(more).await.header("x-cache").to_owned());
    }
    assert_eq!(seen, ["miss", "hit", "miss", "bypass", "miss", "hit"]);
    assert_eq!(a.count(), 4);
}

#[tokio::test]
async fn cached_answers_are_dropped_by_scope() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    for (scope, dropped) in [
        (json!({"tenant": "other"}), 0),
        (json!({"detector": "other"}), 0),
        (json!({"detector": "a", "policy": "default"}), 1),
        (json!({}), 1),
    ] {
        service.orchestrate(json!({})).await;
        let answer = service.post("/cache/invalidate", &scope).await;
        assert_eq!(
            answer.json["invalidated"], dropped,
            "{scope} {}",
            answer.text
        );
    }
    assert_eq!(
        service
            .post("/cache/invalidate", &json!({"x": 1}))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_cached_answer_has_its_own_request_id_and_its_age() {
    let a = Detector::start(Act::Find("email", 0.9)).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let first = service.orchestrate(json!({})).await;
    let again = service.orchestrate(json!({})).await;
    assert_ne!(first.json["request_id"], again.json["request_id"]);
    assert_eq!(
        first.json["aggregated_payload"],
        again.json["aggregated_payload"]
    );
    assert_eq!(first.json["verdict"], again.json["verdict"]);
    assert_eq!(again.json["timeline"], json!([]));
    assert_eq!(again.header("age"), "0");
}

#[tokio::test]
async fn an_expired_answer_replaces_an_outage_and_is_marked_stale() {
    let a = Detector::start(Act::Clean).await;
    let mut config = config(vec![settings("a", &a)]);
    config.cache.ttl = Duration::ZERO;
    let service = start(config).await;
    assert_eq!(
        service.orchestrate(json!({})).await.header("x-cache"),
        "miss"
    );
    a.act(Act::Status(500, None));
    let answer = service.orchestrate(json!({})).await;
    assert_eq!((answer.status, answer.header("x-cache")), (200, "stale"));
    assert_eq!(answer.json["fallback_used"], true);
    assert_eq!(answer.json["verdict"], "degraded");
    let answer = service.orchestrate(json!({"content": "never seen"})).await;
    assert_eq!(answer.status, 502);
}

#[tokio::test]
async fn fifty_equal_requests_cause_one_call() {
    let a = Detector::start(Act::Slow(Duration::from_millis(200), Box::new(Act::Clean))).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let requests = (0..50).map(|_| service.orchestrate(json!({})));
    let answers = futures_util::future::join_all(requests).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(a.count(), 1);
}

#[tokio::test]
async fn a_client_that_disconnects_cancels_its_calls() {
    let a = Detector::start(Act::StallHead).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let wait = Duration::from_millis(100);
    assert!(
        tokio::time::timeout(wait, service.orchestrate(json!({})))
            .await
            .is_err()
    );
    for _ in 0..500 {
        if a.cancelled() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The detector's own timeout is 500 ms: only the disconnect of the client can end it sooner.
    panic!("the call went on without its client");
}
