//! Several endpoints of one detector.

use std::time::Duration;

use orchestrator::config::DetectorSettings;
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{Service, config, settings, start};

async fn three(acts: [Act; 3]) -> [Detector; 3] {
    let [a, b, c] = acts;
    [
        Detector::start(a).await,
        Detector::start(b).await,
        Detector::start(c).await,
    ]
}

/// One detector with these endpoints.
fn spread(replicas: &[Detector; 3]) -> DetectorSettings {
    let more = replicas[1..].iter().map(Detector::endpoint);
    settings("a", &replicas[0])
        .with_replicas(&more.collect::<Vec<_>>())
        .expect("endpoints")
}

/// The share of sequential requests that are answered in full.
async fn success(service: &Service, count: usize, prefix: &str) -> f64 {
    let mut good = 0;
    for n in 0..count {
        let content = format!("{prefix} {n}");
        let answer = service.orchestrate(json!({ "content": content })).await;
        good += usize::from(answer.status == 200);
    }
    good as f64 / count as f64
}

async fn endpoints(service: &Service) -> Vec<Value> {
    let breakers = service.get("/circuit-breakers").await;
    let endpoints = &breakers.json["circuit_breakers"][0]["endpoints"];
    endpoints.as_array().expect("a list").clone()
}

#[tokio::test]
async fn one_failing_replica_of_three_hardly_matters_after_a_warm_up() {
    for act in [Act::Status(500, None), Act::Reset, Act::StallHead] {
        for breaker in [true, false] {
            let replicas = three([act.clone(), Act::Clean, Act::Clean]).await;
            let mut one = spread(&replicas);
            one.timeout = Duration::from_millis(100);
            // Without breakers, only ejection can help.
            one.breaker.enabled = breaker;
            let service = start(config(vec![one])).await;
            success(&service, 120, "warm-up").await;
            let share = success(&service, 200, "measured").await;
            assert!(share >= 0.99, "{act:?}, breaker {breaker}: {share}");
            let loads = replicas.iter().map(Detector::count).collect::<Vec<_>>();
            // The distribution depends on the load of the machine: one slow answer counts for seconds.
            assert!(loads[1] > 0 && loads[2] > 0, "both others work: {loads:?}");
            service
                .until_metric("circuit_breaker_state{detector=\"a\",state=\"closed\"} 1")
                .await;
        }
    }
}

#[tokio::test]
async fn replicas_that_all_fail_are_never_all_left_out() {
    let replicas = three([(); 3].map(|()| Act::Status(500, None))).await;
    let mut one = spread(&replicas);
    one.breaker.enabled = false;
    one.outlier.minimum_calls = 1;
    one.outlier.failure_margin = 0.01;
    let service = start(config(vec![one])).await;
    for round in 0..10 {
        let before: usize = replicas.iter().map(Detector::count).sum();
        success(&service, 20, &format!("round {round}")).await;
        let after: usize = replicas.iter().map(Detector::count).sum();
        assert_eq!(after - before, 20, "every request was sent to somebody");
        let out = endpoints(&service).await;
        let out = out.iter().filter(|it| it["ejected"] == true).count();
        assert!(out <= 1, "{out} of 3 ejected");
    }
}

#[tokio::test]
async fn a_retry_goes_to_another_replica() {
    let replicas = three([Act::Status(503, None), Act::Clean, Act::Clean]).await;
    let mut one = spread(&replicas);
    one.max_retries = 1;
    one.retry.budget_ratio = 1.0;
    one.breaker.enabled = false;
    one.outlier.enabled = false;
    let service = start(config(vec![one])).await;
    assert_eq!(success(&service, 100, "retried").await, 1.0);
    assert!(replicas[0].count() > 0, "the bad one was tried at all");
}

#[tokio::test]
async fn a_slow_replica_gets_few_calls() {
    let slow = Act::Slow(Duration::from_millis(150), Box::new(Act::Clean));
    let replicas = three([slow, Act::Clean, Act::Clean]).await;
    let service = start(config(vec![spread(&replicas)])).await;
    assert_eq!(success(&service, 150, "spread").await, 1.0);
    assert!(replicas[0].count() <= 15, "{} calls", replicas[0].count());
}

#[tokio::test]
async fn each_replica_has_a_breaker_and_only_all_of_them_open_the_detector() {
    let replicas = three([Act::Status(500, None), Act::Clean, Act::Clean]).await;
    let mut one = spread(&replicas);
    one.outlier.enabled = false;
    // After one failure the load estimate alone keeps calls away.
    one.breaker.consecutive_failures = 1;
    let service = start(config(vec![one])).await;
    success(&service, 100, "one").await;
    let states = |all: Vec<Value>| -> Vec<String> {
        let state = |it: &Value| it["state"].as_str().expect("a state").to_owned();
        all.iter().map(state).collect()
    };
    assert_eq!(
        states(endpoints(&service).await),
        ["open", "closed", "closed"]
    );
    let incidents = service.get("/events/incidents").await;
    let opened = &incidents.json["incidents"][0];
    assert_eq!(opened["endpoint"], replicas[0].endpoint(), "{opened}");

    replicas[1].act(Act::Status(500, None));
    replicas[2].act(Act::Status(500, None));
    success(&service, 40, "all").await;
    service
        .until_metric("circuit_breaker_state{detector=\"a\",state=\"open\"} 1")
        .await;
    let before: usize = replicas.iter().map(Detector::count).sum();
    let answer = service.orchestrate(json!({"content": "while open"})).await;
    assert_eq!(answer.status, 502);
    assert!(!answer.header("retry-after").is_empty());
    let after: usize = replicas.iter().map(Detector::count).sum();
    assert_eq!(before, after, "open breakers let nothing through");
}

#[tokio::test]
async fn health_checks_take_single_replicas_out_of_rotation() {
    let replicas = three([Act::Clean, Act::Clean, Act::Clean]).await;
    replicas[0].fail_probes(true);
    let mut config = config(vec![spread(&replicas)]);
    config.health.interval = Duration::from_millis(20);
    let service = start(config).await;
    let mut rotation = Vec::new();
    for _ in 0..500 {
        rotation = endpoints(&service)
            .await
            .iter()
            .map(|it| it["in_rotation"] == true)
            .collect();
        if rotation == [false, true, true] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(rotation, [false, true, true]);
    assert_eq!(success(&service, 30, "spread").await, 1.0);
    assert_eq!(replicas[0].count(), 0);
    let health = service.get("/health").await;
    assert_eq!(health.json["detectors_healthy"], 1);
}

#[tokio::test]
async fn replicas_are_registered_over_the_api() {
    let replicas = three([Act::Clean, Act::Clean, Act::Clean]).await;
    let service = start(config(Vec::new())).await;
    let urls: Vec<String> = replicas.iter().map(Detector::endpoint).collect();
    let body = json!({ "name": "a", "endpoint": urls[0], "endpoints": urls });
    let answer = service.post("/detectors", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json["endpoints"], json!(urls), "each of them once");
    assert_eq!(success(&service, 60, "spread").await, 1.0);
    let loads: Vec<usize> = replicas.iter().map(Detector::count).collect();
    assert!(loads.iter().all(|calls| *calls > 0), "{loads:?}");
    let outside = json!({
        "name": "b", "endpoint": urls[0], "endpoints": ["http://169.254.169.254/detect"],
    });
    let answer = service.post("/detectors", &outside).await;
    assert_eq!(
        (answer.status, answer.json["details"]["field"].as_str()),
        (400, Some("endpoints"))
    );
}
