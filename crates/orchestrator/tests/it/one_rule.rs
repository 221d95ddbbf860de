//! The API refuses what the file check refuses, and ambiguous or impossible requests.

use http::Method;
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, settings, settings_at, start};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn put(service: &Service, path: &str, body: &Value) -> Response {
    service
        .send(Method::PUT, path, &[JSON], body.to_string())
        .await
}

async fn delete(service: &Service, name: &str) -> Response {
    let path = format!("/detectors/{name}");
    service
        .send(Method::DELETE, &path, &[], String::new())
        .await
}

async fn names(service: &Service) -> Vec<String> {
    let listed = service.get("/detectors").await.json;
    let listed = listed["detectors"].as_array().expect("a list").iter();
    listed
        .map(|one| one["name"].as_str().expect("text").to_owned())
        .collect()
}

#[tokio::test]
async fn a_repeated_delete_removes_no_other_detector() {
    let mut guard = settings_at("guard", "http://127.0.0.1:9/detect");
    guard.aliases = vec!["llama-guard".to_owned()];
    let service = start(config(vec![guard])).await;
    let body = json!({"endpoint": "http://127.0.0.1:9/detect"});
    assert_eq!(
        put(&service, "/detectors/llama-guard", &body).await.status,
        200
    );
    assert_eq!(delete(&service, "llama-guard").await.status, 200);
    let again = delete(&service, "llama-guard").await;
    assert_eq!(again.status, 404, "{}", again.text);
    assert!(again.text.contains("an alias of `guard`"), "{}", again.text);
    assert_eq!(names(&service).await, ["guard"]);
    assert_eq!(delete(&service, "nobody").await.status, 404);
    assert_eq!(delete(&service, "guard").await.status, 200);
}

#[tokio::test]
async fn invalid_names_endpoints_and_shadows_are_refused() {
    let service = start(config(vec![settings_at(
        "live",
        "http://127.0.0.1:9/detect",
    )]))
    .await;
    let good = || json!({"endpoint": "http://127.0.0.1:9/detect"});
    let with = |field: &str, value: Value| {
        let mut body = good();
        body[field] = value;
        body
    };
    for (body, field) in [
        (
            with("endpoint", json!("http://127.0.0.1:99999/x")),
            "endpoint",
        ),
        (with("endpoint", json!("http://127.0.0.1:/x")), "endpoint"),
        (
            with("endpoints", json!(["http://127.0.0.1:65536/"])),
            "endpoints",
        ),
        (with("aliases", json!(["b c"])), "aliases"),
        (with("aliases", json!([""])), "aliases"),
        (with("aliases", json!(["\u{e4}"])), "aliases"),
        (with("aliases", json!(["z", "z"])), "aliases"),
        (with("aliases", json!(["new"])), "aliases"),
        (with("shadow_of", json!("nobody")), "shadow_of"),
        (with("shadow_of", json!("new")), "shadow_of"),
    ] {
        let answer = put(&service, "/detectors/new", &body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(answer.text.contains(field), "{body}: {}", answer.text);
    }
    let beside = with("shadow_of", json!("live"));
    assert_eq!(
        put(&service, "/detectors/beside", &beside).await.status,
        200
    );
    let chain = with("shadow_of", json!("beside"));
    assert_eq!(put(&service, "/detectors/new", &chain).await.status, 400);
    assert_eq!(put(&service, "/detectors/new", &good()).await.status, 200);
    let has_shadows = with("shadow_of", json!("new"));
    let answer = put(&service, "/detectors/live", &has_shadows).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(
        answer.text.contains("`beside` is a shadow"),
        "{}",
        answer.text
    );
    let refused = delete(&service, "live").await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert_eq!(refused.json["details"]["shadow"], "beside");
    let mut required = with("shadow_of", json!("live"));
    required["required"] = json!(true);
    let answer = put(&service, "/detectors/beside", &required).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(answer.json["details"]["field"], "required");
    for (policy, field) in [
        (
            json!({"required_detectors": ["beside"]}),
            "required_detectors",
        ),
        (json!({"detectors": ["live", "beside"]}), "detectors"),
    ] {
        let answer = put(&service, "/policies/t/p", &policy).await;
        assert_eq!(answer.status, 400, "{policy}: {}", answer.text);
        assert!(answer.text.contains(field), "{}", answer.text);
    }
    assert_eq!(delete(&service, "beside").await.status, 200);
    assert_eq!(delete(&service, "live").await.status, 200);
}

#[tokio::test]
async fn a_replacement_keeps_the_alias_that_a_shadow_names() {
    let service = start(config(Vec::new())).await;
    let named = json!({"endpoint": "http://127.0.0.1:9/detect", "aliases": ["old"]});
    assert_eq!(put(&service, "/detectors/live", &named).await.status, 200);
    let shadow = json!({"endpoint": "http://127.0.0.1:9/detect", "shadow_of": "old"});
    assert_eq!(
        put(&service, "/detectors/beside", &shadow).await.status,
        200
    );
    let unnamed = json!({"endpoint": "http://127.0.0.1:9/detect"});
    let refused = put(&service, "/detectors/live", &unnamed).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert_eq!(put(&service, "/detectors/live", &named).await.status, 200);
}

#[tokio::test]
async fn what_a_policy_asks_is_not_taken_from_it() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    let mut needed = settings("needed", &a);
    needed.aliases = vec!["needed-by-alias".to_owned()];
    let service = start(config(vec![needed, settings("other", &b)])).await;
    let own =
        || json!({"endpoint": a.endpoint(), "max_retries": 0, "aliases": ["needed-by-alias"]});
    let mut shadow = own();
    shadow["shadow_of"] = json!("other");
    let mut unnamed = own();
    unnamed["aliases"] = json!([]);
    let shadows_name = json!({
        "endpoint": a.endpoint(), "name": "needed-by-alias", "shadow_of": "other",
    });
    let ask = || service.orchestrate(json!({"policy_bundle": "p"}));
    for (policy, by_own_name) in [
        (json!({"required_detectors": ["needed"]}), true),
        (json!({"detectors": ["other", "needed-by-alias"]}), false),
    ] {
        let stored = put(&service, "/policies/t/p", &policy).await;
        assert_eq!(stored.status, 200, "{}", stored.text);
        let mut refused = vec![
            put(&service, "/detectors/needed", &shadow).await,
            delete(&service, "needed").await,
        ];
        if !by_own_name {
            refused.push(put(&service, "/detectors/needed", &unnamed).await);
            refused.push(service.post("/detectors", &shadows_name).await);
        }
        for answer in refused {
            assert_eq!(answer.status, 409, "{policy}: {}", answer.text);
            let message = answer.json["message"].as_str().expect("a message");
            assert!(message.contains("policy `p` of tenant `t`"), "{message}");
            assert_eq!(answer.json["details"]["bundle"], "p", "{}", answer.text);
        }
        assert_eq!(ask().await.json["verdict"], "pass", "{policy}");
    }
    // Another endpoint, or an additional name, removes nothing.
    let moved = json!({"endpoint": b.endpoint(), "aliases": ["needed-by-alias", "third"]});
    assert_eq!(put(&service, "/detectors/needed", &moved).await.status, 200);
    let freed = service
        .send(Method::DELETE, "/policies/t/p", &[], String::new())
        .await;
    assert_eq!(freed.status, 200, "{}", freed.text);
    assert_eq!(
        put(&service, "/detectors/needed", &shadow).await.status,
        200
    );
    assert_eq!(delete(&service, "needed").await.status, 200);
}

#[tokio::test]
async fn an_older_policy_that_waits_for_a_shadow_is_not_brought_back() {
    let at = "http://127.0.0.1:9/detect";
    let service = start(config(vec![settings_at("a", at), settings_at("b", at)])).await;
    for policy in [
        json!({"required_detectors": ["a"]}),
        json!({"detectors": ["b"]}),
    ] {
        assert_eq!(put(&service, "/policies/t/p", &policy).await.status, 200);
    }
    let shadow = json!({"endpoint": at, "shadow_of": "b"});
    assert_eq!(put(&service, "/detectors/a", &shadow).await.status, 200);
    let path = "/policies/t/p/versions/1/rollback";
    let back = async || service.post(path, &json!({})).await;
    let refused = back().await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(refused.text.contains("`a` is a shadow"), "{}", refused.text);
    let in_force = service.get("/policies/t/p").await;
    assert_eq!(in_force.json["version"], 2);
    let live = json!({"endpoint": at});
    assert_eq!(put(&service, "/detectors/a", &live).await.status, 200);
    assert_eq!(back().await.status, 200);
}

#[tokio::test]
async fn a_duplicate_header_has_one_value_or_is_refused() {
    let a = Detector::start(Act::Clean).await;
    let mut config = config(vec![settings("a", &a)]);
    config.auth.mode = orchestrator::config::AuthMode::Optional;
    let service = start(config).await;
    let body = json!({"content": "x", "content_type": "text"}).to_string();
    for (headers, status) in [
        ([("x-tenant-id", "t"), ("x-tenant-id", "t")], 200),
        ([("x-tenant-id", "t"), ("x-tenant-id", "u")], 400),
        ([("idempotency-key", "k"), ("idempotency-key", "l")], 400),
        ([("x-api-key", "k"), ("x-api-key", "l")], 400),
    ] {
        let mut all = vec![JSON];
        if headers[0].0 != "x-tenant-id" {
            all.push(("x-tenant-id", "t"));
        }
        all.extend(headers);
        let answer = service
            .send(Method::POST, "/orchestrate", &all, body.clone())
            .await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text);
        assert!(
            status == 200 || answer.text.contains("more than once"),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_content_request_runs_once_per_key() {
    let a = Detector::start(Act::Find("email", 0.9)).await;
    let mut config = config(vec![settings("a", &a)]);
    config.cache.enabled = false;
    let service = start(config).await;
    let path = "/api/v2/text/detection/content";
    let ask = async |content: &str| {
        let body = json!({"content": content, "detectors": {"a": {}}}).to_string();
        let headers = [JSON, ("idempotency-key", "k")];
        service.send(Method::POST, path, &headers, body).await
    };
    let first = ask("mail jane").await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(first.header("idempotency-key"), "k");
    let again = ask("mail jane").await;
    assert_eq!((again.status, &again.text), (200, &first.text));
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(a.count(), 1);
    assert_eq!(ask("something else").await.status, 409);
    assert_eq!(a.count(), 1);
}
