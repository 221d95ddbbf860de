//! Completing a partial answer is a request like any other.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use job_store::rate_limit::{self, Quota};
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, request, settings, settings_at, start};

/// Two detectors, of which `b` has failed, and the partial answer.
struct Begun {
    service: Service,
    a: Detector,
    b: Detector,
    partial: Response,
}

impl Begun {
    async fn start(change: impl FnOnce(&mut orchestrator::Config)) -> Self {
        let (a, b) = (
            Detector::start(Act::Clean).await,
            Detector::start(Act::Status(400, None)).await,
        );
        let mut config = config(vec![settings("a", &a), settings("b", &b)]);
        // Long enough for a busy machine.
        for one in &mut config.detectors {
            one.timeout = Duration::from_secs(30);
        }
        config.sla.normal = Duration::from_secs(30);
        change(&mut config);
        let service = start(config).await;
        let partial = service.orchestrate(json!({})).await;
        assert_eq!(partial.status, 206, "{}", partial.text);
        Self {
            service,
            a,
            b,
            partial,
        }
    }

    async fn resume(&self) -> Response {
        let token = &self.partial.json["resume_token"];
        let body = json!({"resume_token": token, "content": "hello", "tenant_id": "t"});
        self.service.post("/orchestrate/resume", &body).await
    }
}

#[tokio::test]
async fn a_detector_that_was_replaced_is_asked_again() {
    let begun = Begun::start(|_| {}).await;
    let new = Detector::start(Act::Find("email", 0.9)).await;
    let put = json!({"endpoint": new.endpoint(), "max_retries": 0});
    let headers = [("content-type", "application/json")];
    let put = begun
        .service
        .send(Method::PUT, "/detectors/a", &headers, put.to_string())
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    begun.b.act(Act::Clean);
    let whole = begun.resume().await;
    assert_eq!(
        (whole.status, whole.json["verdict"].as_str(), new.count()),
        (200, Some("block"), 1),
        "{}",
        whole.text
    );
    assert_eq!(begun.a.count(), 1);
}

/// An answer of about 10 MB: many findings of one label, as long as labels may be.
fn huge() -> Act {
    let label = "\u{1f4e7}".repeat(128);
    let found = json!({
        "start": 0, "end": 0, "text": "", "label": label, "category": label, "score": 0.4,
    });
    let body = json!({
        "request_id": "huge", "detector": "d", "output": label, "confidence": 0.5,
        "detections": vec![found; 10_000], "processing_time_ms": 1,
    });
    Act::Body(body.to_string())
}

#[tokio::test]
async fn a_partial_answer_that_is_too_large_to_be_kept_has_no_token() {
    let many = Detector::start(huge()).await;
    let failing = Detector::start(Act::Status(400, None)).await;
    let mut all: Vec<_> = (0..4)
        .map(|number| settings(&format!("d{number}"), &many))
        .collect();
    all.push(settings("failing", &failing));
    for one in &mut all {
        one.timeout = Duration::from_secs(60);
    }
    let mut config = config(all);
    config.sla.normal = Duration::from_secs(60);
    config.partial_coverage_threshold = 0.9;
    let service = start(config).await;
    let ask = async |content: String| {
        let body = request(json!({ "content": content })).to_string();
        let headers = [("x-request-id", "huge")];
        service
            .send(Method::POST, "/orchestrate", &headers, body)
            .await
    };
    let answer = ask("\u{1f4e7}".repeat(50_000)).await;
    assert_eq!(answer.status, 206, "{}", answer.text);
    assert_eq!(answer.json["detectors_succeeded"], 4, "{}", answer.text);
    assert_eq!(answer.json["resume_token"], Value::Null);
    // An answer that can be kept has one.
    many.act(Act::Clean);
    let answer = ask("small".to_owned()).await;
    assert_eq!(answer.status, 206, "{}", answer.text);
    assert!(answer.json["resume_token"].is_string(), "{}", answer.text);
}

#[tokio::test]
async fn invalidated_answers_are_asked_for_again() {
    for (scope, again) in [
        (json!({}), 2),
        (json!({"tenant": "t"}), 2),
        (json!({"detector": "a"}), 2),
        (json!({"policy": "default"}), 2),
        (json!({"tenant": "u"}), 1),
        (json!({"detector": "b"}), 1),
    ] {
        let begun = Begun::start(|_| {}).await;
        begun.service.post("/cache/invalidate", &scope).await;
        begun.b.act(Act::Clean);
        assert_eq!(begun.resume().await.status, 200);
        assert_eq!(begun.a.count(), again, "{scope}");
    }
}

#[tokio::test]
async fn a_stale_answer_does_not_complete_a_partial_one() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    let mut one = settings("a", &a);
    one.breaker.consecutive_failures = 1;
    let mut config = config(vec![one, settings("b", &b)]);
    config.cache.ttl = Duration::ZERO;
    let policy = json!({"stale_if_open": 1.0});
    let policy = serde_json::from_value(policy).expect("a policy");
    config
        .policies
        .insert(("*".to_owned(), "default".to_owned()), policy);
    let service = start(config).await;
    assert_eq!(service.orchestrate(json!({})).await.status, 200);
    a.act(Act::Status(500, None));
    b.act(Act::Status(400, None));
    service
        .orchestrate(json!({"content": "opens the breaker"}))
        .await;
    let partial = service.orchestrate(json!({})).await;
    assert_eq!(partial.status, 206, "{}", partial.text);
    let before = a.count();
    a.act(Act::Clean);
    b.act(Act::Clean);
    service.post("/circuit-breakers/a/reset", &json!({})).await;
    let token = &partial.json["resume_token"];
    let body = json!({"resume_token": token, "content": "hello", "tenant_id": "t"});
    let whole = service.post("/orchestrate/resume", &body).await;
    assert_eq!(whole.status, 200, "{}", whole.text);
    assert_eq!(a.count(), before + 1, "it is asked itself");
}

#[tokio::test]
async fn completing_an_answer_counts_against_the_rate_and_in_the_metrics() {
    let begun = Begun::start(|config| {
        config.rate_limit = Some(rate_limit::Config {
            default: Some(Quota {
                rate_per_s: 0.001,
                burst: 2,
            }),
            endpoints: BTreeMap::new(),
            tenants: BTreeMap::new(),
            max_keys: 100,
        });
    })
    .await;
    let first = begun.resume().await;
    assert_eq!(first.status, 206);
    assert_eq!(first.header("ratelimit-remaining"), "0");
    for _ in 0..3 {
        let refused = begun.resume().await;
        assert_eq!(
            (refused.status, refused.json["error_code"].as_str()),
            (429, Some("RATE_LIMITED"))
        );
    }
    assert_eq!(begun.b.count(), 2, "who is refused calls nobody");
    let counted = "orchestrate_requests_total{policy=\"default\",processing_mode=\"sync\",\
                   status=\"partial\",tenant=\"t\"} 2";
    begun.service.until_metric(counted).await;
}

#[tokio::test]
async fn the_same_key_completes_an_answer_once() {
    let begun = Begun::start(|_| {}).await;
    let token = &begun.partial.json["resume_token"];
    let body = json!({"resume_token": token, "content": "hello", "tenant_id": "t"});
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let resume = || {
        let service = &begun.service;
        service.send(
            Method::POST,
            "/orchestrate/resume",
            &headers,
            body.to_string(),
        )
    };
    let (first, again) = (resume().await, resume().await);
    assert_eq!((first.status, again.status), (206, 206));
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.header("idempotency-key"), "k");
    assert_eq!((first.text, begun.b.count()), (again.text, 2));
}

#[tokio::test]
async fn a_removed_detector_is_not_asked_again() {
    let begun = Begun::start(|config| {
        let gone = settings_at("gone", "http://127.0.0.1:1/detect");
        config.detectors.push(gone);
    })
    .await;
    let deleted = begun
        .service
        .send(Method::DELETE, "/detectors/a", &[], "")
        .await;
    assert_eq!(deleted.status, 200);
    begun.b.act(Act::Clean);
    let whole = begun.resume().await;
    let results = whole.json["detector_results"].as_array();
    let named = |it: &&Value| it["detector"] == "a";
    assert_eq!(results.map(|all| all.iter().filter(named).count()), Some(0));
}
