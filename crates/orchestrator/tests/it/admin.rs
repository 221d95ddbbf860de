//! Registry, policies, breakers and events at run time.

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use orchestrator::config::{ApiKey, AuthMode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, settings, start};

async fn put(service: &Service, path: &str, body: &Value) -> Response {
    service.send(Method::PUT, path, &[], body.to_string()).await
}

async fn delete(service: &Service, path: &str) -> Response {
    service.send(Method::DELETE, path, &[], "").await
}

#[tokio::test]
async fn a_detector_is_registered_replaced_and_removed_while_requests_run() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    let service = start(config(vec![settings("a", &a)])).await;
    let body = json!({"name": "b", "endpoint": b.endpoint(), "aliases": ["bee"]});
    let answer = service.post("/detectors", &body).await;
    assert_eq!(
        (answer.status, answer.json["registered_by"].as_str()),
        (201, Some("api"))
    );
    assert_eq!(service.post("/detectors", &body).await.status, 409);
    let answer = service.orchestrate(json!({})).await;
    assert_eq!(answer.json["detectors_succeeded"], 2);
    assert_eq!(
        service.orchestrate(json!({})).await.header("x-cache"),
        "hit"
    );

    let changed = json!({"endpoint": b.endpoint(), "weight": 2.5});
    assert_eq!(
        put(&service, "/detectors/b", &changed).await.json["weight"],
        2.5
    );
    let answer = service.orchestrate(json!({})).await;
    assert_eq!(
        answer.header("x-cache"),
        "miss",
        "a change drops what the cache holds"
    );

    assert_eq!(delete(&service, "/detectors/b").await.status, 200);
    assert_eq!(delete(&service, "/detectors/b").await.status, 404);
    assert_eq!(
        service.get("/detectors/b").await.json["error_code"],
        "DETECTOR_NOT_FOUND"
    );
    assert_eq!(
        service.orchestrate(json!({})).await.json["detectors_attempted"],
        1
    );
    assert!(
        !service
            .get("/metrics")
            .await
            .text
            .contains("circuit_breaker_state{detector=\"b\"")
    );
    let list = service.get("/detectors").await;
    assert_eq!(list.json["detectors"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_invalid_registration_lists_its_errors() {
    let service = start(config(Vec::new())).await;
    let good = json!({"name": "x", "endpoint": "http://127.0.0.1:9/detect"});
    for (change, field) in [
        (json!({"endpoint": "ftp://x"}), "endpoint"),
        (
            json!({"endpoint": "http://169.254.169.254/latest/meta-data"}),
            "endpoint",
        ),
        (json!({"endpoint": "http://8.8.8.8/detect"}), "endpoint"),
        (json!({"name": "a|b"}), "name"),
        (json!({"weight": -1}), "weight"),
        (json!({"timeout_ms": 0}), "timeout_ms"),
        (json!({"surprise": 1}), "surprise"),
        (
            json!({"breaker": {"failure_rate": 7}}),
            "breaker.failure_rate",
        ),
    ] {
        let mut body = good.clone();
        for (name, value) in change.as_object().expect("fields") {
            body[name] = value.clone();
        }
        let answer = service.post("/detectors", &body).await;
        assert_eq!(
            (answer.status, answer.json["details"]["field"].as_str()),
            (400, Some(field))
        );
    }
    assert_eq!(service.post("/detectors", &good).await.status, 201);
}

#[tokio::test]
async fn a_policy_is_in_force_at_once_and_can_be_rolled_back() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Find("x", 0.7)).await,
    );
    let service = start(config(vec![settings("a", &a), settings("b", &b)])).await;
    let ask = || service.orchestrate(json!({"policy_bundle": "mine"}));
    assert_eq!(ask().await.json["error_code"], "POLICY_NOT_FOUND");

    let path = "/policies/t/mine";
    assert_eq!(
        put(&service, path, &json!({"detectors": ["b"]})).await.json["version"],
        1
    );
    let answer = ask().await;
    assert_eq!(
        answer.json["routing_decision"]["selected_detectors"],
        json!(["b"])
    );
    assert_eq!(answer.json["routing_decision"]["policy_applied"], "mine");
    assert_eq!(answer.json["version_info"]["policy"], "mine@1");
    assert_eq!(answer.json["verdict"], "block");
    assert_eq!(ask().await.header("x-cache"), "hit");

    put(
        &service,
        path,
        &json!({"detectors": ["b"], "block_score": 0.9}),
    )
    .await;
    let answer = ask().await;
    assert_eq!(
        (answer.header("x-cache"), answer.json["verdict"].as_str()),
        ("miss", Some("pass"))
    );

    let rollback = format!("{path}/versions/1/rollback");
    let back = service.post(&rollback, &json!({})).await;
    assert_eq!(
        (&back.json["version"], &back.json["rolled_back_to"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(ask().await.json["verdict"], "block");
    let versions = service.get(&format!("{path}/versions")).await;
    assert_eq!(versions.json["versions"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        service.get("/policies/t").await.json["policies"][0]["version"],
        3
    );

    assert_eq!(delete(&service, path).await.status, 200);
    assert_eq!(ask().await.json["error_code"], "POLICY_NOT_FOUND");
    assert_eq!(service.get(path).await.status, 404);
}

#[tokio::test]
async fn an_invalid_policy_is_refused_and_the_old_one_stays() {
    let service = start(config(Vec::new())).await;
    put(&service, "/policies/t/p", &json!({})).await;
    for bad in [
        json!({"block_score": 2}),
        json!({"min_coverage": -1}),
        json!({"weights": {"a": -1}}),
        json!({"surprise": 1}),
        json!([]),
    ] {
        assert_eq!(
            put(&service, "/policies/t/p", &bad).await.status,
            400,
            "{bad}"
        );
    }
    assert_eq!(service.get("/policies/t/p").await.json["version"], 1);
}

#[tokio::test]
async fn coverage_is_counted_by_the_policys_method() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Reset).await,
    );
    let (mut one, mut two) = (settings("a", &a), settings("b", &b));
    one.capabilities = vec!["pii".to_owned()];
    two.capabilities = vec!["toxicity".to_owned()];
    let service = start(config(vec![one, two])).await;
    for (policy, coverage) in [
        (json!({"weights": {"a": 3.0}}), 0.75),
        (
            json!({"coverage_method": "required_set", "required_detectors": ["a"]}),
            1.0,
        ),
        (
            json!({"coverage_method": "required_set", "required_detectors": ["a", "b"]}),
            0.5,
        ),
        (
            json!({"coverage_method": "taxonomy_coverage", "required_categories": ["pii"]}),
            1.0,
        ),
        (
            json!({"coverage_method": "taxonomy_coverage", "required_categories": ["pii", "toxicity", "x"]}),
            1.0 / 3.0,
        ),
    ] {
        put(&service, "/policies/t/p", &policy).await;
        let answer = service.orchestrate(json!({"policy_bundle": "p"})).await;
        assert_eq!(answer.json["coverage_achieved"], coverage, "{policy}");
        assert_eq!(
            answer.status,
            if coverage < 0.8 { 206 } else { 200 },
            "{policy}"
        );
    }
}

#[tokio::test]
async fn breakers_are_listed_forced_open_and_reset() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let forced = service
        .post("/circuit-breakers/a/force-open", &json!({}))
        .await;
    assert_eq!(forced.json["state"], "open");
    let answer = service.orchestrate(json!({})).await;
    assert_eq!((answer.status, a.count()), (502, 0));
    assert_eq!(
        service
            .post("/circuit-breakers/a/reset", &json!({}))
            .await
            .json["state"],
        "closed"
    );
    assert_eq!(service.orchestrate(json!({})).await.status, 200);
    let list = service.get("/circuit-breakers").await;
    assert_eq!(list.json["circuit_breakers"][0]["window"]["calls"], 1);
    let unknown = service.post("/circuit-breakers/x/reset", &json!({})).await;
    assert_eq!(
        (unknown.status, unknown.json["error_code"].as_str()),
        (404, Some("DETECTOR_NOT_FOUND"))
    );
}

#[tokio::test]
async fn incidents_are_streamed_and_kept() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let mut stream = service.open("/events/stream").await;
    service
        .post("/circuit-breakers/a/force-open", &json!({}))
        .await;
    let mut text = String::new();
    while !text.contains("\n\n") {
        let frame = tokio::time::timeout(Duration::from_secs(5), stream.frame());
        let frame = frame
            .await
            .expect("in time")
            .expect("goes on")
            .expect("unbroken");
        text.push_str(&String::from_utf8_lossy(frame.data_ref().expect("data")));
    }
    assert!(text.contains("event: circuit_breaker"), "{text}");
    assert!(text.contains("\"to\":\"open\""), "{text}");
    let kept = service.get("/events/incidents").await;
    let last = kept.json["incidents"]
        .as_array()
        .and_then(|all| all.last())
        .cloned();
    assert_eq!(last.expect("one incident")["reason"], "forced");
}

#[tokio::test]
async fn a_follower_with_an_id_from_before_a_restart_gets_a_reset() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    service
        .post("/circuit-breakers/a/force-open", &json!({}))
        .await;
    for seen in ["7", "no id"] {
        let mut stream = TcpStream::connect(service.address)
            .await
            .expect("it listens");
        let head =
            format!("GET /events/stream HTTP/1.1\r\nhost: x\r\nlast-event-id: {seen}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let mut text = String::new();
        while !text.contains("\"to\":\"open\"") {
            let mut part = [0; 4_096];
            let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut part));
            let count = read.await.expect("in time").expect("unbroken");
            text.push_str(&String::from_utf8_lossy(&part[..count]));
        }
        let (reset, next) = (
            text.find("event: reset"),
            text.find("event: circuit_breaker"),
        );
        assert!(reset.is_some() && reset < next, "{text}");
    }
}

#[tokio::test]
async fn scopes_and_tenants_protect_policies_and_registry() {
    let mut config = config(Vec::new());
    config.auth.mode = AuthMode::Required;
    let key = |key, scopes: &[&str]| ApiKey {
        sha256: orchestrator::hash_key(key),
        tenant: "t".to_owned(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
    };
    config.auth.keys = vec![
        key("plain", &[]),
        key("policies", &["policy:read", "policy:write"]),
        key("registry", &["registry:read"]),
        key("admin", &["admin"]),
    ];
    let service = start(config).await;
    for (key, method, path, status) in [
        ("plain", Method::GET, "/policies/t", 403),
        ("policies", Method::GET, "/policies/t", 200),
        ("policies", Method::GET, "/policies/other", 403),
        ("policies", Method::PUT, "/policies/t/p", 200),
        ("admin", Method::GET, "/policies/other", 200),
        ("registry", Method::GET, "/detectors", 200),
        ("registry", Method::DELETE, "/detectors/x", 403),
        ("admin", Method::DELETE, "/detectors/x", 404),
        ("plain", Method::POST, "/circuit-breakers/x/reset", 403),
        ("plain", Method::GET, "/circuit-breakers", 200),
    ] {
        let answer = service
            .send(method.clone(), path, &[("x-api-key", key)], "{}")
            .await;
        assert_eq!(
            answer.status, status,
            "{key} {method} {path}: {}",
            answer.text
        );
    }
}
