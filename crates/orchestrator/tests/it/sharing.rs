//! Sharing of single detectors' answers between requests: calls in progress, cached and stale answers.

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{Service, config, settings, start};

fn slowly(ms: u64) -> Act {
    Act::Slow(Duration::from_millis(ms), Box::new(Act::Clean))
}

async fn three(act: Act) -> ([Detector; 3], Service) {
    let all = [
        Detector::start(act.clone()).await,
        Detector::start(act.clone()).await,
        Detector::start(act).await,
    ];
    let named = [("a", &all[0]), ("b", &all[1]), ("c", &all[2])];
    let config = config(
        named
            .map(|(name, it)| settings(name, it))
            .into_iter()
            .collect(),
    );
    let service = start(config).await;
    (all, service)
}

fn counts(all: &[Detector; 3]) -> [usize; 3] {
    [all[0].count(), all[1].count(), all[2].count()]
}

async fn asking(service: &Service, names: &[&str], more: Value) -> crate::service::Response {
    let mut body = json!({ "required_detectors": names });
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    service.orchestrate(body).await
}

fn source(answer: &crate::service::Response, name: &str) -> Value {
    let timeline = answer.json["timeline"].as_array().expect("a list");
    let one = timeline.iter().find(|it| it["detector"] == name);
    one.expect("a timeline of this detector")["source"].clone()
}

async fn policy(service: &Service, body: Value) {
    let answer = service
        .send(Method::PUT, "/policies/t/p", &[], body.to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn overlapping_fan_outs_share_the_call_of_the_overlap() {
    let (all, service) = three(slowly(300)).await;
    let (left, right) = tokio::join!(
        asking(&service, &["a", "b"], json!({})),
        asking(&service, &["b", "c"], json!({}))
    );
    assert_eq!((left.status, right.status), (200, 200));
    assert_eq!(counts(&all), [1, 1, 1]);
    let sources = [source(&left, "b"), source(&right, "b")];
    assert!(sources.contains(&json!("shared")), "{sources:?}");
    assert!(sources.contains(&json!(null)), "{sources:?}");
}

#[tokio::test]
async fn a_disconnect_does_not_end_a_call_that_another_request_waits_for() {
    let (all, service) = three(slowly(400)).await;
    let leader = async {
        let wait = Duration::from_millis(150);
        let left = tokio::time::timeout(wait, asking(&service, &["a", "b"], json!({}))).await;
        assert!(left.is_err(), "it left");
    };
    let other = async {
        while all[1].count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        asking(&service, &["b", "c"], json!({})).await
    };
    let ((), answer) = tokio::join!(leader, other);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(all[1].count(), 1, "b was called once");
    assert_eq!(all[0].cancelled(), 1, "a's call had nobody left");
}

#[tokio::test]
async fn single_answers_are_cached_and_dropped_with_their_dependencies() {
    let (all, service) = three(Act::Clean).await;
    asking(&service, &["a", "b"], json!({})).await;
    let answer = asking(&service, &["b", "c"], json!({})).await;
    assert_eq!(counts(&all), [1, 1, 1]);
    assert_eq!(answer.header("x-cache"), "miss");
    assert_eq!(source(&answer, "b"), "hit");
    assert_eq!(answer.json["verdict"], "degraded", "a was left out");

    // Another tenant, content, content type, and a request that bypasses the cache.
    for more in [
        json!({"tenant_id": "u"}),
        json!({"content": "other"}),
        json!({"content_type": "code"}),
        json!({"priority": "critical"}),
    ] {
        let before = all[1].count();
        asking(&service, &["b"], more.clone()).await;
        assert_eq!(all[1].count(), before + 1, "{more}");
    }

    // A change of the registry.
    let changed = json!({ "endpoint": all[1].endpoint(), "weight": 2.0 });
    let put = service
        .send(Method::PUT, "/detectors/b", &[], changed.to_string())
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    let before = all[1].count();
    asking(&service, &["b", "a"], json!({})).await;
    assert_eq!(all[1].count(), before + 1);

    // A new version of the policy.
    policy(&service, json!({"block_score": 0.6})).await;
    asking(&service, &["b"], json!({"policy_bundle": "p"})).await;
    policy(&service, json!({"block_score": 0.7})).await;
    asking(&service, &["b"], json!({"policy_bundle": "p"})).await;
    assert_eq!(all[1].count(), before + 3);
}

#[tokio::test]
async fn an_invalid_answer_is_never_cached() {
    let (all, service) = three(Act::Body("{".to_owned())).await;
    for _ in 0..3 {
        asking(&service, &["a"], json!({})).await;
    }
    assert_eq!(all[0].count(), 3);
}

#[tokio::test]
async fn a_stale_answer_replaces_an_open_breaker_if_the_policy_allows_it() {
    let all = [
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    ];
    let mut config = config(vec![settings("a", &all[0]), settings("b", &all[1])]);
    config.cache.ttl = Duration::ZERO;
    let service = start(config).await;
    policy(&service, json!({"stale_if_open": 0.5, "min_coverage": 0.7})).await;
    let send = || service.orchestrate(json!({"policy_bundle": "p"}));
    assert_eq!(send().await.json["verdict"], "pass");
    let open = service
        .post("/circuit-breakers/b/force-open", &json!({}))
        .await;
    assert_eq!(open.status, 200);
    let answer = send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json["coverage_achieved"], 0.75, "b counts half");
    assert_eq!(answer.json["verdict"], "degraded");
    assert_eq!(answer.json["fallback_used"], true);
    assert_eq!(answer.result("b")["metadata"]["stale"], true);
    assert_eq!(source(&answer, "b"), "stale");
    let reasons = answer.json["verdict_reasons"].to_string();
    assert!(reasons.contains("detector b is unavailable"), "{reasons}");
    assert_eq!(all[1].count(), 1, "it was not called");

    // It is never cached as clean, and other requests never get it.
    let again = send().await;
    assert_eq!(again.header("x-cache"), "miss");
    service
        .send(Method::PUT, "/policies/t/q", &[], "{}".to_owned())
        .await;
    let without = service.orchestrate(json!({"policy_bundle": "q"})).await;
    assert_eq!(without.result("b")["status"], "unavailable");
    assert_eq!(without.status, 206);
}

#[tokio::test]
async fn a_shadow_does_not_change_the_answer_and_its_agreement_is_counted() {
    let live = Detector::start(Act::Find("email", 0.9)).await;
    let mut seen = Vec::new();
    for (act, result) in [
        (None, None),
        (Some(Act::Find("email", 0.7)), Some("agrees")),
        (Some(Act::Clean), Some("disagrees")),
        (Some(Act::Status(500, None)), Some("failed")),
        (Some(Act::StallHead), Some("failed")),
    ] {
        let shadow = Detector::start(act.clone().unwrap_or(Act::Clean)).await;
        let mut detectors = vec![settings("a", &live)];
        if act.is_some() {
            let mut beside = settings("s", &shadow);
            beside.shadow_of = Some("a".to_owned());
            detectors.push(beside);
        }
        let service = start(config(detectors)).await;
        let headers = [("x-request-id", "fixed")];
        let body = crate::service::request(json!({})).to_string();
        let answer = service
            .send(Method::POST, "/orchestrate", &headers, body)
            .await;
        seen.push(without_times(answer.json));
        let Some(result) = result else { continue };
        let line =
            format!("detector_shadow_total{{detector=\"s\",live=\"a\",result=\"{result}\"}} 1");
        service.until_metric(&line).await;
        assert_eq!(shadow.count(), 1, "asked once");
        let named = asking(&service, &["s"], json!({"content": "x"})).await;
        assert_eq!(named.status, 502, "it answers nobody");
    }
    assert!(seen.iter().all(|answer| *answer == seen[0]), "{seen:#?}");
}

/// The answer as text, with every measured time set to zero.
fn without_times(mut answer: Value) -> String {
    fn clear(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    if name.ends_with("_ms") || name == "timestamp" {
                        *value = Value::Null;
                    } else {
                        clear(value);
                    }
                }
            }
            Value::Array(all) => all.iter_mut().for_each(clear),
            _ => {}
        }
    }
    clear(&mut answer);
    answer.to_string()
}

#[tokio::test]
async fn shadows_are_bounded_by_their_own_budget() {
    let (live, shadow) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::StallHead).await,
    );
    let mut beside = settings("s", &shadow);
    beside.shadow_of = Some("a".to_owned());
    beside.timeout = Duration::from_secs(30);
    let service = start(config(vec![settings("a", &live), beside])).await;
    let requests = (0..100).map(|n| service.orchestrate(json!({"content": format!("c{n}")})));
    let answers = join_all(requests).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let line = "detector_shadow_total{detector=\"s\",live=\"a\",result=\"left_out\"} 36";
    service.until_metric(line).await;
    assert!(shadow.count() <= 64);
}

#[tokio::test]
async fn answers_in_progress_during_an_invalidation_are_not_cached() {
    let endpoint = |detector: &Detector| json!({ "endpoint": detector.endpoint(), "weight": 2.0 });
    for what in ["cache", "other tenant", "registry"] {
        let (all, service) = three(slowly(400)).await;
        let early = asking(&service, &["a"], json!({}));
        let meanwhile = async {
            while all[0].count() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let answer = match what {
                "cache" => service.post("/cache/invalidate", &json!({})).await,
                "other tenant" => {
                    let scope = json!({ "tenant": "u" });
                    service.post("/cache/invalidate", &scope).await
                }
                _ => {
                    let body = endpoint(&all[0]).to_string();
                    service.send(Method::PUT, "/detectors/a", &[], body).await
                }
            };
            assert_eq!(answer.status, 200, "{}", answer.text);
        };
        tokio::join!(early, meanwhile);
        let answer = asking(&service, &["a"], json!({})).await;
        let kept = what == "other tenant";
        let status = if kept { "hit" } else { "miss" };
        assert_eq!(answer.header("x-cache"), status, "{what}");
        assert_eq!(all[0].count(), if kept { 1 } else { 2 }, "{what}");
    }
}
