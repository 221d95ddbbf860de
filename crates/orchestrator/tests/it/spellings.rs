//! A detector's name and its aliases are equivalent everywhere, and after a name changes its meaning, cached
//! answers still belong to the detector that gave them.

use http::Method;
use orchestrator::config::{DetectorSettings, OnFailure};
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, request, settings, start};

const FMS: &str = "/api/v2/text/detection/content";

async fn send(service: &Service, method: Method, path: &str, body: &Value) -> Response {
    service.send(method, path, &[], body.to_string()).await
}

async fn policy(service: &Service, body: Value) {
    let put = send(service, Method::PUT, "/policies/t/p", &body).await;
    assert_eq!(put.status, 200, "{}", put.text);
}

fn with_alias(name: &str, alias: &str, detector: &Detector) -> DetectorSettings {
    DetectorSettings {
        aliases: vec![alias.to_owned()],
        ..settings(name, detector)
    }
}

#[tokio::test]
async fn every_field_of_a_policy_takes_names_and_aliases_alike() {
    let (broken, other) = (
        Detector::start(Act::Status(500, None)).await,
        Detector::start(Act::Clean).await,
    );
    let mut guard = with_alias("guard", "llama-guard", &broken);
    guard.breaker.enabled = false;
    let service = start(config(vec![guard, settings("other", &other)])).await;
    let plan = |body: Value| {
        let service = &service;
        async move {
            let plan = service.post("/orchestrate/plan", &request(body)).await;
            let all = plan.json["detectors"].as_array().expect("a list").clone();
            let guards: Vec<Value> = all
                .into_iter()
                .filter(|it| it["registered_as"] == "guard")
                .collect();
            assert_eq!(guards.len(), 1, "once, by whatever name: {}", plan.text);
            guards[0].clone()
        }
    };
    for (listed, named) in [
        ("guard", "guard"),
        ("llama-guard", "guard"),
        ("guard", "llama-guard"),
        ("llama-guard", "llama-guard"),
    ] {
        let both = json!({
            "detectors": [listed, named, "other"], "required_detectors": [named],
            "on_failure": {named: "open"}, "weights": {named: 9.0}, "min_coverage": 0.1,
        });
        policy(&service, both).await;
        let guard = plan(json!({"policy_bundle": "p"})).await;
        assert_eq!(guard["required"], true, "{listed} {named}");
        assert_eq!(guard["on_failure"], "open", "{listed} {named}");
        assert_eq!(guard["weight"], 9.0, "{listed} {named}");
        let answer = service.orchestrate(json!({"policy_bundle": "p"})).await;
        assert_eq!(
            (answer.status, answer.json["error_code"].as_str()),
            (502, Some("ALL_DETECTORS_UNAVAILABLE")),
            "{listed} {named}: the required one failed"
        );
    }
    let twice = json!({"weights": {"guard": 1.0, "llama-guard": 2.0}});
    let refused = send(&service, Method::PUT, "/policies/t/p", &twice).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("`guard`"), "{}", refused.text);
}

#[tokio::test]
async fn a_detector_preferred_by_an_alias_takes_precedence() {
    let (clean, found) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Find("evil", 0.9)).await,
    );
    let detectors = vec![
        with_alias("calm", "quiet", &clean),
        with_alias("guard", "llama-guard", &found),
    ];
    let service = start(config(detectors)).await;
    for preferred in ["guard", "llama-guard"] {
        for listed in ["guard", "llama-guard"] {
            let body = json!({
                "detectors": ["quiet", listed], "preference": [preferred, "calm"],
                "conflict_method": "tenant_preference",
            });
            policy(&service, body).await;
            let answer = service.orchestrate(json!({"policy_bundle": "p"})).await;
            assert_eq!(answer.json["verdict"], "block", "{preferred} {listed}");
        }
    }
}

#[tokio::test]
async fn a_name_that_changes_its_detector_gets_the_new_ones_answers() {
    let (calm, guard) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Find("evil", 0.9)).await,
    );
    let service = start(config(vec![with_alias("calm", "guard", &calm)])).await;
    let ask = || service.orchestrate(json!({"required_detectors": ["guard"]}));
    let verdict = |answer: &Response| {
        let verdict = answer.json["verdict"].as_str().expect("a verdict");
        (answer.header("x-cache").to_owned(), verdict.to_owned())
    };
    let is = |cache: &str, verdict: &str| (cache.to_owned(), verdict.to_owned());
    assert_eq!(verdict(&ask().await), is("miss", "pass"));
    assert_eq!(verdict(&ask().await), is("hit", "pass"));

    // A detector with exactly this name is registered.
    let new = json!({"name": "guard", "endpoint": guard.endpoint()});
    assert_eq!(service.post("/detectors", &new).await.status, 201);
    assert_eq!(verdict(&ask().await), is("miss", "block"));
    assert_eq!(guard.count(), 1);

    // It is removed, and the alias has its old meaning.
    let gone = send(&service, Method::DELETE, "/detectors/guard", &json!({})).await;
    assert_eq!(gone.status, 200);
    assert_eq!(
        verdict(&ask().await),
        is("hit", "pass"),
        "of the same detector as before"
    );

    // The alias moves to another detector.
    let bare = json!({"endpoint": calm.endpoint()});
    let put = send(&service, Method::PUT, "/detectors/calm", &bare).await;
    assert_eq!(put.status, 200, "{}", put.text);
    assert_eq!(ask().await.status, 502, "nobody is called so");
    let moved = json!({"endpoint": guard.endpoint(), "aliases": ["guard"]});
    let put = send(&service, Method::PUT, "/detectors/strict", &moved).await;
    assert_eq!(put.status, 200, "{}", put.text);
    assert_eq!(verdict(&ask().await), is("miss", "block"));

    // The detector behind it changes.
    let calmed = json!({"endpoint": calm.endpoint(), "aliases": ["guard"]});
    let put = send(&service, Method::PUT, "/detectors/strict", &calmed).await;
    assert_eq!(put.status, 200, "{}", put.text);
    let answer = ask().await;
    assert_eq!(answer.header("x-cache"), "miss");
    assert_ne!(answer.json["verdict"], "block");
}

#[tokio::test]
async fn detectors_are_read_and_invalidated_by_any_name_but_removed_only_by_their_own() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![with_alias("a", "regex-pii", &a)])).await;
    service.orchestrate(json!({})).await;
    let scope = json!({"detector": "regex-pii"});
    let dropped = service.post("/cache/invalidate", &scope).await;
    assert_eq!(dropped.json["invalidated"], 1, "{}", dropped.text);
    assert_eq!(dropped.json["detector_answers"], 1, "{}", dropped.text);
    let breaker = service
        .post("/circuit-breakers/regex-pii/force-open", &json!({}))
        .await;
    assert_eq!(breaker.json["detector"], "a");
    assert_eq!(service.get("/detectors/regex-pii").await.json["name"], "a");
    let gone = send(&service, Method::DELETE, "/detectors/regex-pii", &json!({})).await;
    assert_eq!(gone.status, 404, "{}", gone.text);
    let gone = send(&service, Method::DELETE, "/detectors/a", &json!({})).await;
    assert_eq!((gone.status, &gone.json["detector"]), (200, &json!("a")));
    assert_eq!(service.get("/detectors/a").await.status, 404);
}

#[tokio::test]
async fn a_shadow_follows_its_detector_by_an_alias() {
    let (live, shadow) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    let mut beside = settings("shadow", &shadow);
    beside.shadow_of = Some("regex-pii".to_owned());
    let service = start(config(vec![with_alias("live", "regex-pii", &live), beside])).await;
    assert_eq!(service.orchestrate(json!({})).await.status, 200);
    service
        .until_metric(
            "detector_shadow_total{detector=\"shadow\",live=\"live\",result=\"agrees\"} 1",
        )
        .await;
}

#[tokio::test]
async fn fms_clients_find_the_same_detector_under_each_of_its_names() {
    let found = Detector::start(Act::Find("evil", 0.9)).await;
    let mut guard = with_alias("guard", "llama-guard", &found);
    guard.on_failure = OnFailure::Degrade;
    let service = start(config(vec![guard])).await;
    for (detectors, ids) in [
        (json!({"llama-guard": {}}), vec!["llama-guard"]),
        (
            json!({"guard": {"threshold": 0.95}, "llama-guard": {"threshold": 0.1}}),
            vec!["llama-guard"],
        ),
        (
            json!({"guard": {}, "llama-guard": {}}),
            vec!["guard", "llama-guard"],
        ),
    ] {
        let body = json!({"content": "hello", "detectors": detectors});
        let answer = service.post(FMS, &body).await;
        let list = answer.json["detections"].as_array().expect("a list");
        let mut told: Vec<&str> = list
            .iter()
            .map(|it| it["detector_id"].as_str().expect("a name"))
            .collect();
        told.sort_unstable();
        assert_eq!(told, ids, "{body}");
    }
    assert_eq!(found.count(), 3, "asked once each time");
}
