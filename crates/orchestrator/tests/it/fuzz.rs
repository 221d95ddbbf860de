//! Whatever a client sends, the service stays up and responds as described. `FUZZ_CASES` sets the number of
//! generated bodies, `FUZZ_SEED` the seed.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::stream::iter;
use http::Method;
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{Response, config, request, settings, start};
use orchestrator::mutate::{Mutator, cases, seed};

/// The number of concurrent bodies.
const AT_ONCE: usize = 64;

/// Every operation with a body, with valid ones; its path in the description comes first.
fn doors() -> Vec<(Method, &'static str, &'static str, Vec<Value>)> {
    let full = request(json!({
        "policy_bundle": "default", "environment": "prod", "processing_mode": "sync",
        "priority": "high", "metadata": {"a": {"b": [1, "x"]}}, "required_detectors": ["a"],
        "excluded_detectors": ["b"],
    }));
    let asked = vec![request(json!({})), full.clone()];
    let detector = json!({
        "name": "new", "endpoint": "http://127.0.0.1:9/detect", "timeout_ms": 100, "weight": 0.5,
        "max_retries": 1, "aliases": ["other"], "capabilities": ["pii"], "content_types": ["text"],
        "on_failure": "closed", "required": false, "endpoints": ["http://127.0.0.1:10/detect"],
        "breaker": {"failure_rate": 0.5}, "hedge": {"enabled": true}, "health_check_path": "/health",
    });
    let policy = json!({
        "detectors": ["a"], "block_score": 0.9, "collect": "all", "weights": {"a": 2.0},
        "on_failure": {"a": "open"}, "min_coverage": 0.5, "required_detectors": ["a"],
        "coverage_method": "required_set", "conflict_method": "majority_vote",
    });
    let resume = json!({"resume_token": "00ff", "content": "hello", "tenant_id": "t"});
    let fms = json!({"content": "hello", "detectors": {"a": {"threshold": 0.5}}});
    vec![
        (Method::POST, "/orchestrate", "/orchestrate", asked.clone()),
        (
            Method::POST,
            "/orchestrate/batch",
            "/orchestrate/batch",
            vec![json!(asked), json!({ "requests": asked })],
        ),
        (
            Method::POST,
            "/orchestrate/plan",
            "/orchestrate/plan",
            asked,
        ),
        (
            Method::POST,
            "/orchestrate/resume",
            "/orchestrate/resume",
            vec![resume],
        ),
        (
            Method::POST,
            "/detectors",
            "/detectors",
            vec![detector.clone()],
        ),
        (
            Method::PUT,
            "/detectors/{name}",
            "/detectors/new",
            vec![detector],
        ),
        (
            Method::PUT,
            "/policies/{tenant}/{bundle}",
            "/policies/fuzz/p",
            vec![policy, json!({})],
        ),
        (
            Method::POST,
            "/cache/invalidate",
            "/cache/invalidate",
            vec![json!({"tenant": "x", "policy": "default", "detector": "a"})],
        ),
        (
            Method::POST,
            "/api/v2/text/detection/content",
            "/api/v2/text/detection/content",
            vec![fms],
        ),
    ]
}

/// The problem of a response, if any: it must be described, not be a server failure, and errors must have a
/// message.
fn fault(operation: &Value, answer: &Response) -> Option<String> {
    let status = answer.status.to_string();
    if operation["responses"][&status].is_null() {
        return Some(format!("{status} is not described"));
    }
    // Unknown detectors have no answers, and this service stores no jobs.
    if answer.status >= 500 && ![501, 502, 503].contains(&answer.status) {
        return Some("a failure of ours".to_owned());
    }
    let says = answer.json["message"].is_string() || answer.json["details"].is_string();
    (answer.status >= 400 && !says).then(|| "an error that says nothing".to_owned())
}

#[tokio::test]
async fn no_body_crashes_the_service() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    );
    let mut fleet = config(vec![settings("a", &a), settings("b", &b)]);
    fleet.registry_networks = vec!["127.0.0.0/8".parse().expect("a network")];
    let service = start(fleet).await;
    let api = service.get("/openapi.json").await.json;
    let doors = doors();
    let mut mutator = Mutator::new(seed());
    let number = cases(2_000);
    let made = (0..number).map(|case| {
        let place = case % doors.len();
        (place, mutator.mutate(&doors[place].3))
    });
    let mut seen: HashMap<(usize, u16), usize> = HashMap::new();
    let mut answers = iter(made)
        .map(|(place, body)| {
            let (method, _, path, _) = &doors[place];
            let (service, method, sent) = (&service, method.clone(), body.clone());
            async move {
                let headers = [("content-type", "application/json")];
                let answer = service.send(method, path, &headers, sent).await;
                (place, body, answer)
            }
        })
        .buffer_unordered(AT_ONCE);
    while let Some((place, body, answer)) = answers.next().await {
        let (method, described, ..) = &doors[place];
        let operation = &api["paths"][described][method.as_str().to_lowercase()];
        if let Some(fault) = fault(operation, &answer) {
            let body = String::from_utf8_lossy(&body);
            let body: String = body.chars().take(2_000).collect();
            panic!(
                "{fault}\n{method} {described}\n{body}\n{} {}",
                answer.status, answer.text
            );
        }
        *seen.entry((place, answer.status)).or_default() += 1;
    }
    drop(answers);
    assert_eq!(service.get("/health").await.status, 200);
    for (place, (method, path, ..)) in doors.iter().enumerate() {
        let refused = seen
            .keys()
            .any(|(at, status)| *at == place && *status >= 400);
        assert!(refused, "nothing was wrong for {method} {path}: {seen:?}");
    }
    let mut table: Vec<_> = seen.into_iter().collect();
    table.sort_unstable();
    for ((place, status), count) in table {
        println!(
            "{count:>9}  {status}  {} {}",
            doors[place].0, doors[place].1
        );
    }
}
