//! The HTTP interface: health, readiness, metrics, errors.

use http::Method;
use orchestrator::config::{ApiKey, AuthMode};
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{config, request, settings, settings_at, start};

#[tokio::test]
async fn health_counts_detectors_and_readiness_needs_one() {
    let a = Detector::start(Act::Clean).await;
    let gone = settings_at("b", "http://127.0.0.1:1/detect");
    let mut config = config(vec![settings("a", &a), gone]);
    config.health.unhealthy_after = 1;
    let service = start(config).await;
    service
        .until_metric("detector_health_status{detector=\"b\"} 0")
        .await;
    let health = service.get("/health").await;
    assert_eq!(
        (health.status, health.json["status"].as_str()),
        (200, Some("healthy"))
    );
    assert_eq!(health.json["detectors_total"], 2);
    assert_eq!(health.json["detectors_healthy"], 1);
    let ready = service.get("/health/ready").await;
    assert_eq!(
        (
            ready.status,
            ready.json["dependencies"]["detectors"].as_bool()
        ),
        (200, Some(true))
    );
}

#[tokio::test]
async fn readiness_depends_only_on_required_detectors() {
    let (a, b, c) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    let (mut needed, mut also) = (settings("a", &a), settings("b", &b));
    (needed.required, also.required) = (true, true);
    let mut config = config(vec![needed, also, settings("c", &c)]);
    config.health.interval = std::time::Duration::from_millis(10);
    let service = start(config).await;
    let until = |ready: bool, why: &'static str| {
        let service = &service;
        async move {
            let status = if ready { 200 } else { 503 };
            for _ in 0..500 {
                let answer = service.get("/health/ready").await;
                if answer.status == status {
                    assert_eq!(answer.json["dependencies"]["detectors"], ready, "{why}");
                    return answer;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            panic!("{why}");
        }
    };
    until(true, "all are well").await;
    c.fail_probes(true);
    service
        .until_metric("detector_health_status{detector=\"c\"} 0")
        .await;
    until(true, "an optional one decides nothing").await;
    b.fail_probes(true);
    let answer = until(false, "a required one is down").await;
    assert_eq!(answer.json["dependencies"]["detector/a"], true);
    assert_eq!(answer.json["dependencies"]["detector/b"], false);
    assert_eq!(answer.json["dependencies"].get("detector/c"), None);
    b.fail_probes(false);
    until(true, "it is back").await;
    // An open breaker has no effect, since it would never close without requests.
    service
        .post("/circuit-breakers/a/force-open", &json!({}))
        .await;
    until(true, "its breaker is open").await;
    c.fail_probes(false);
    a.fail_probes(true);
    until(false, "the other required one is down").await;
}

#[tokio::test]
async fn a_required_detector_is_asked_for_every_request() {
    let (a, b, c) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Reset).await,
        Detector::start(Act::Clean).await,
    );
    let mut needed = settings("b", &b);
    needed.required = true;
    needed.on_failure = orchestrator::config::OnFailure::Open;
    let service = start(config(vec![settings("a", &a), needed, settings("c", &c)])).await;
    let answer = service
        .orchestrate(json!({"required_detectors": ["a"]}))
        .await;
    let selected = &answer.json["routing_decision"]["selected_detectors"];
    assert_eq!(*selected, json!(["a", "b"]));
    assert_eq!(
        answer.json["verdict"], "degraded",
        "a required one is never simply open"
    );
    let answer = service
        .orchestrate(json!({"excluded_detectors": ["b"]}))
        .await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("`b` is required"), "{}", answer.text);
}

#[tokio::test]
async fn without_a_healthy_detector_it_is_degraded_and_not_ready() {
    let mut config = config(vec![settings_at("a", "http://127.0.0.1:1/detect")]);
    config.health.unhealthy_after = 1;
    let service = start(config).await;
    service
        .until_metric("detector_health_status{detector=\"a\"} 0")
        .await;
    assert_eq!(service.get("/health").await.json["status"], "degraded");
    assert_eq!(service.get("/health/ready").await.status, 503);
    let answer = service.orchestrate(json!({})).await;
    assert_eq!(
        (answer.status, answer.json["error_code"].as_str()),
        (502, Some("ALL_DETECTORS_UNAVAILABLE"))
    );
}

#[tokio::test]
async fn a_detector_leaves_rotation_and_comes_back() {
    let a = Detector::start(Act::Clean).await;
    let mut config = config(vec![settings("a", &a)]);
    config.health.interval = std::time::Duration::from_millis(10);
    let service = start(config).await;
    a.fail_probes(true);
    service
        .until_metric("detector_health_status{detector=\"a\"} 0")
        .await;
    a.fail_probes(false);
    service
        .until_metric("detector_health_status{detector=\"a\"} 1")
        .await;
    assert_eq!(service.orchestrate(json!({})).await.status, 200);
}

/// DET-26.
#[tokio::test]
async fn metrics_have_the_contracts_names() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    service.orchestrate(json!({})).await;
    let text = service.get("/metrics").await.text;
    for line in [
        r#"orchestrate_requests_total{policy="default",processing_mode="sync",status="success",tenant="t"} 1"#,
        "orchestrate_request_duration_ms_count 1",
        r#"detector_latency_ms_count{detector="a",status="success"} 1"#,
        r#"circuit_breaker_state{detector="a",state="closed"} 1"#,
        r#"circuit_breaker_state{detector="a",state="open"} 0"#,
        r#"circuit_breaker_state{detector="a",state="half_open"} 0"#,
        r#"coverage_achieved{policy="default",tenant="t"} 1"#,
        r#"policy_enforcement_total{policy="default",status="pass",tenant="t",violation_type="none"} 1"#,
    ] {
        assert!(
            text.lines().any(|it| it == line),
            "{line} is missing in\n{text}"
        );
    }
}

async fn check(body: impl Into<String>, headers: &[(&str, &str)], expected: (u16, &str)) {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let body = body.into();
    let answer = service
        .send(Method::POST, "/orchestrate", headers, body)
        .await;
    let found = (
        answer.status,
        answer.json["error_code"].as_str().unwrap_or(""),
    );
    assert_eq!(found, expected, "{}", answer.text);
    for field in ["message", "request_id", "retryable"] {
        assert_ne!(
            answer.json[field],
            Value::Null,
            "{field} is missing in {}",
            answer.text
        );
    }
    assert!(!answer.header("x-orchestrator-request-id").is_empty());
}

#[tokio::test]
async fn invalid_requests_get_the_contracts_errors() {
    let good = request(json!({})).to_string();
    let with = |more: Value| request(more).to_string();
    check("{", &[], (400, "INVALID_REQUEST")).await;
    check(
        with(json!({"content": "x".repeat(60_000)})),
        &[],
        (400, "INVALID_REQUEST"),
    )
    .await;
    check(
        with(json!({"policy_bundle": "nope"})),
        &[],
        (400, "POLICY_NOT_FOUND"),
    )
    .await;
    check(
        with(json!({"tenant_id": null})),
        &[],
        (400, "INVALID_REQUEST"),
    )
    .await;
    check(
        good.as_str(),
        &[("content-type", "text/plain")],
        (415, "UNSUPPORTED_MEDIA_TYPE"),
    )
    .await;
    check(" ".repeat((1 << 20) + 1), &[], (413, "PAYLOAD_TOO_LARGE")).await;
    let long = "k".repeat(65);
    check(
        good.as_str(),
        &[("idempotency-key", &long)],
        (400, "INVALID_REQUEST"),
    )
    .await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_errors_of_the_contract() {
    let service = start(config(Vec::new())).await;
    let answer = service.get("/nowhere").await;
    assert_eq!(
        (answer.status, answer.json["error_code"].as_str()),
        (404, Some("NOT_FOUND"))
    );
    let answer = service.get("/orchestrate").await;
    assert_eq!(
        (answer.status, answer.json["error_code"].as_str()),
        (405, Some("METHOD_NOT_ALLOWED"))
    );
}

#[tokio::test]
async fn keys_are_required_and_checked() {
    let a = Detector::start(Act::Clean).await;
    let mut config = config(vec![settings("a", &a)]);
    config.auth.mode = AuthMode::Required;
    let key = |key, scopes: &[&str]| ApiKey {
        sha256: orchestrator::hash_key(key),
        tenant: "t".to_owned(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
    };
    config.auth.keys = vec![key("writer", &[]), key("reader", &["orchestrate:status"])];
    let service = start(config).await;
    for (key, tenant, expected) in [
        (None, "t", (401, "UNAUTHORIZED")),
        (Some("wrong"), "t", (401, "UNAUTHORIZED")),
        (Some("reader"), "t", (403, "INSUFFICIENT_RBAC")),
        (Some("writer"), "other", (403, "INSUFFICIENT_RBAC")),
        (Some("writer"), "t", (200, "")),
    ] {
        let headers: Vec<_> = key.iter().map(|key| ("x-api-key", *key)).collect();
        let body = request(json!({"tenant_id": tenant})).to_string();
        let answer = service
            .send(Method::POST, "/orchestrate", &headers, body)
            .await;
        let code = answer.json["error_code"].as_str().unwrap_or("");
        assert_eq!((answer.status, code), expected, "{key:?} {tenant}");
    }
}
