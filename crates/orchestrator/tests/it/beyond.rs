//! Advanced features: early decisions, hedges, completing partial answers, plans.

use std::time::{Duration, Instant};

use http::Method;
use orchestrator::config::OnFailure;
use serde_json::json;

use crate::detector::{Act, Detector};
use crate::service::{Service, config, request, settings, start};

async fn policy(service: &Service, body: serde_json::Value) {
    let answer = service
        .send(Method::PUT, "/policies/t/p", &[], body.to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn a_certain_block_does_not_wait_and_the_cancelled_detectors_never_count_as_passed() {
    let quick = Detector::start(Act::Find("secret", 0.9)).await;
    let slow = Detector::start(Act::StallHead).await;
    let mut late = settings("slow", &slow);
    late.timeout = Duration::from_secs(30);
    let service = start(config(vec![settings("quick", &quick), late])).await;
    let fast = json!({"collect": "until_decided", "conflict_method": "most_restrictive"});
    policy(&service, fast).await;
    let begun = Instant::now();
    let answer = service.orchestrate(json!({"policy_bundle": "p"})).await;
    assert!(
        begun.elapsed() < Duration::from_millis(1_500),
        "it waited for the deadline"
    );
    assert_eq!(answer.json["verdict"], "block");
    assert_eq!(answer.result("slow")["status"], "skipped");
    assert_eq!(
        answer.json["coverage_achieved"], 0.5,
        "coverage stays honest"
    );
    assert_eq!(
        (
            &answer.json["detectors_attempted"],
            &answer.json["detectors_failed"]
        ),
        (&json!(1), &json!(0))
    );

    policy(
        &service,
        json!({"collect": "all", "conflict_method": "most_restrictive"}),
    )
    .await;
    let body = json!({"policy_bundle": "p", "priority": "critical"});
    assert_eq!(
        service.orchestrate(body).await.result("slow")["status"],
        "timeout"
    );
}

#[tokio::test]
async fn a_fail_closed_detector_decides_once_another_one_has_answered() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Reset).await,
    );
    let c = Detector::start(Act::StallHead).await;
    let mut closed = settings("b", &b);
    closed.on_failure = OnFailure::Closed;
    let mut late = settings("c", &c);
    late.timeout = Duration::from_secs(30);
    let service = start(config(vec![settings("a", &a), closed, late])).await;
    policy(&service, json!({"collect": "until_decided"})).await;
    let answer = service.orchestrate(json!({"policy_bundle": "p"})).await;
    assert_eq!(
        (answer.status, answer.json["verdict"].as_str()),
        (206, Some("block"))
    );
    assert_eq!(answer.result("c")["status"], "skipped");
}

#[tokio::test]
async fn a_slow_call_is_hedged_and_the_first_answer_wins() {
    let a = Detector::start(Act::Clean).await;
    let mut one = settings("a", &a);
    one.timeout = Duration::from_secs(30);
    one.hedge.enabled = true;
    one.hedge.minimum_calls = 20;
    let service = start(config(vec![one])).await;
    for n in 0..20 {
        service
            .orchestrate(json!({"content": format!("warm-up {n}")}))
            .await;
    }
    // The first call hangs; the second one, recognised by its number, is answered.
    a.act(Act::StallFirstAttempt);
    let answer = service.orchestrate(json!({"content": "slow"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.result("a")["hedged"], true);
    assert_eq!(answer.result("a")["attempts"], 2);
    assert_eq!(a.count(), 22);
    service
        .until_metric("detector_hedges_total{detector=\"a\"} 1")
        .await;
    let breaker = service.get("/circuit-breakers").await;
    assert_eq!(breaker.json["circuit_breakers"][0]["window"]["failed"], 0);
}

#[tokio::test]
async fn without_budget_there_are_no_hedges_and_no_failures() {
    let a = Detector::start(Act::Clean).await;
    let mut one = settings("a", &a);
    one.hedge.enabled = true;
    one.hedge.minimum_calls = 5;
    one.retry.budget_ratio = 0.0;
    one.retry.budget_floor_per_s = 0.0;
    let service = start(config(vec![one])).await;
    for n in 0..5 {
        service
            .orchestrate(json!({"content": format!("warm-up {n}")}))
            .await;
    }
    a.act(Act::Slow(Duration::from_millis(100), Box::new(Act::Clean)));
    let answer = service.orchestrate(json!({"content": "slow"})).await;
    assert_eq!((answer.status, a.count()), (200, 6));
}

#[tokio::test]
async fn a_partial_answer_is_completed_by_asking_only_the_missing_detectors() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Reset).await,
    );
    let service = start(config(vec![settings("a", &a), settings("b", &b)])).await;
    let partial = service.orchestrate(json!({})).await;
    assert_eq!(partial.status, 206);
    let token = partial.json["resume_token"].as_str().expect("a token");
    let body = |content| json!({"resume_token": token, "content": content, "tenant_id": "t"});

    let still = service.post("/orchestrate/resume", &body("hello")).await;
    assert_eq!(
        (still.status, still.json["resume_token"].as_str()),
        (206, Some(token))
    );
    b.act(Act::Clean);
    let whole = service.post("/orchestrate/resume", &body("hello")).await;
    assert_eq!(
        (whole.status, whole.json["coverage_achieved"].as_f64()),
        (200, Some(1.0))
    );
    assert_eq!(whole.json["resume_token"], json!(null));
    assert_eq!(
        (a.count(), b.count()),
        (1, 3),
        "who had answered was not asked again"
    );
    let kept = service.orchestrate(json!({})).await;
    assert_eq!(
        kept.header("x-cache"),
        "hit",
        "a completed answer is as good as any"
    );
}

#[tokio::test]
async fn a_resume_token_is_for_one_tenant_and_one_content() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Reset).await,
    );
    let service = start(config(vec![settings("a", &a), settings("b", &b)])).await;
    let partial = service.orchestrate(json!({})).await;
    let token = &partial.json["resume_token"];
    for (body, field) in [
        (
            json!({"resume_token": token, "content": "other", "tenant_id": "t"}),
            "content",
        ),
        (
            json!({"resume_token": token, "content": "hello", "tenant_id": "u"}),
            "resume_token",
        ),
        (
            json!({"resume_token": "made up", "content": "hello", "tenant_id": "t"}),
            "resume_token",
        ),
    ] {
        let answer = service.post("/orchestrate/resume", &body).await;
        assert_eq!(
            (answer.status, answer.json["details"]["field"].as_str()),
            (400, Some(field))
        );
    }
}

#[tokio::test]
async fn a_request_runs_as_planned() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    let service = start(config(vec![settings("a", &a), settings("b", &b)])).await;
    let plan = service.post("/orchestrate/plan", &request(json!({}))).await;
    assert_eq!(plan.json["cache"], "miss", "{}", plan.text);
    assert_eq!(plan.json["expected_latency_ms"], json!(null));
    assert_eq!((a.count(), b.count()), (0, 0), "planning calls nobody");
    service
        .post("/circuit-breakers/b/force-open", &json!({}))
        .await;
    let plan = service.post("/orchestrate/plan", &request(json!({}))).await;
    let calls: Vec<_> = [0, 1]
        .map(|n| plan.json["detectors"][n]["would_call"].clone())
        .into();
    assert_eq!(calls, [true, false]);
    let answer = service.orchestrate(json!({})).await;
    assert_eq!(
        answer.json["coverage_achieved"],
        plan.json["expected_coverage"]
    );
    assert_eq!(
        answer.json["routing_decision"],
        plan.json["routing_decision"]
    );
    let plan = service.post("/orchestrate/plan", &request(json!({}))).await;
    assert!(
        plan.json["expected_latency_ms"]
            .as_f64()
            .is_some_and(|ms| ms > 0.0),
        "{}",
        plan.text
    );
}
