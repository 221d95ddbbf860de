//! Every error of the contract: its status, its code, and whether it is retryable.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use job_store::rate_limit::{self, Quota};
use orchestrator::Config;
use orchestrator::config::{ApiKey, AuthMode};
use serde_json::json;

use crate::contract::send;
use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, request, settings, start};

/// A service that can return each error of the contract.
async fn troubled(folder: &std::path::Path) -> (Service, Vec<Detector>) {
    let acts = [
        Act::Clean,
        Act::StallHead,
        Act::Status(500, None),
        Act::Reset,
    ];
    let names = ["good", "silent", "failing", "broken"];
    let (mut running, mut all) = (Vec::new(), Vec::new());
    for (name, act) in names.into_iter().zip(acts) {
        let detector = Detector::start(act).await;
        let mut one = settings(name, &detector);
        one.timeout = Duration::from_secs(20);
        if name == "silent" {
            one.bulkhead.max_in_flight = 1;
            one.bulkhead.max_queued = 0;
        }
        all.push(one);
        running.push(detector);
    }
    let mut config: Config = config(all);
    config.sla.critical = Duration::from_millis(400);
    config.auth.mode = AuthMode::Optional;
    let key = |name: &str, scopes: &[&str]| ApiKey {
        sha256: orchestrator::hash_key(name),
        tenant: "t".to_owned(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
    };
    config.auth.keys = vec![
        key("root", &["admin"]),
        key("reader", &["orchestrate:status"]),
    ];
    let quota = Quota {
        rate_per_s: 0.01,
        burst: 1,
    };
    config.rate_limit = Some(rate_limit::Config {
        default: None,
        endpoints: BTreeMap::new(),
        tenants: BTreeMap::from([("limited".to_owned(), quota)]),
        max_keys: 100,
    });
    let mut jobs = job_store::Config::new(folder.join("jobs.redb"));
    jobs.limits.open_jobs = 0;
    config.store = Some(jobs);
    (start(config).await, running)
}

/// Method and path, a header, a body, and the expected status, code and retryability.
type Case = (
    &'static str,
    &'static str,
    String,
    (u16, &'static str, bool),
);

fn cases() -> Vec<Case> {
    let with = |more| request(more).to_string();
    let plain = || with(json!({}));
    let none = String::new;
    let only = |name: &str| with(json!({ "required_detectors": [name], "content": name }));
    let silent = json!({"required_detectors": ["silent"], "priority": "critical"});
    let huge = " ".repeat((1 << 20) + 1);
    let post = "POST /orchestrate";
    vec![
        (post, "", "{".to_owned(), (400, "INVALID_REQUEST", false)),
        (
            post,
            "",
            with(json!({"policy_bundle": "none"})),
            (400, "POLICY_NOT_FOUND", false),
        ),
        (
            post,
            "x-api-key: unknown",
            plain(),
            (401, "UNAUTHORIZED", false),
        ),
        (
            post,
            "x-api-key: reader",
            plain(),
            (403, "INSUFFICIENT_RBAC", false),
        ),
        (
            post,
            "",
            with(json!({"tenant_id": "limited"})),
            (429, "RATE_LIMITED", true),
        ),
        (
            "GET /orchestrate/status/none",
            "",
            none(),
            (404, "JOB_NOT_FOUND", false),
        ),
        (
            "GET /detectors/none",
            "x-api-key: root",
            none(),
            (404, "DETECTOR_NOT_FOUND", false),
        ),
        (post, "", with(silent), (408, "REQUEST_TIMEOUT", true)),
        (
            post,
            "idempotency-key: used",
            plain(),
            (409, "IDEMPOTENCY_CONFLICT", false),
        ),
        (post, "", huge, (413, "PAYLOAD_TOO_LARGE", false)),
        (
            post,
            "content-type: text/plain",
            plain(),
            (415, "UNSUPPORTED_MEDIA_TYPE", false),
        ),
        (
            post,
            "",
            only("failing"),
            (502, "ALL_DETECTORS_UNAVAILABLE", true),
        ),
        (
            post,
            "",
            only("broken"),
            (502, "DETECTOR_COMMUNICATION_FAILED", true),
        ),
        (
            post,
            "",
            with(json!({"processing_mode": "async"})),
            (503, "OVERLOADED", true),
        ),
        ("GET /nowhere", "", none(), (404, "NOT_FOUND", false)),
        (
            "PUT /orchestrate",
            "",
            none(),
            (405, "METHOD_NOT_ALLOWED", false),
        ),
    ]
}

#[tokio::test]
async fn every_error_has_its_status_code_and_retryability() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (service, running) = troubled(folder.path()).await;
    let only = |name: &str| request(json!({ "required_detectors": [name], "content": name }));
    send(&service, &[], &request(json!({"tenant_id": "limited"}))).await;
    send(&service, &[("idempotency-key", "used")], &only("good")).await;
    for (door, header, body, expected) in cases() {
        let (method, path) = door.split_once(' ').expect("a method and a path");
        let method: Method = method.parse().expect("a method");
        let headers: Vec<(&str, &str)> = header.split_once(": ").into_iter().collect();
        let answer = service.send(method, path, &headers, body).await;
        check_error(&answer, expected);
        let code = expected.1;
        let waits = ["RATE_LIMITED", "OVERLOADED"].contains(&code);
        assert_eq!(!answer.header("retry-after").is_empty(), waits, "{code}");
        for name in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
            assert_eq!(
                !answer.header(name).is_empty(),
                code == "RATE_LIMITED",
                "{code} {name}"
            );
        }
    }
    // The only place of the silent detector is taken.
    let (before, silent) = (running[1].count(), only("silent"));
    let hurried = request(json!({"required_detectors": ["silent"], "priority": "critical"}));
    let first = send(&service, &[], &silent);
    let second = async {
        while running[1].count() == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        send(&service, &[], &hurried).await
    };
    tokio::select! {
        _ = first => panic!("it is silent"),
        answer = second => check_error(&answer, (429, "DETECTOR_OVERLOADED", true)),
    }
}

fn check_error(answer: &Response, (status, code, retryable): (u16, &str, bool)) {
    assert_eq!(answer.status, status, "{code}: {}", answer.text);
    assert_eq!(answer.json["error_code"], code, "{}", answer.text);
    assert_eq!(answer.json["retryable"], retryable, "{code}");
    let text = |field: &str| answer.json[field].as_str().unwrap_or("").to_owned();
    assert!(!text("request_id").is_empty(), "{code}");
    let message = text("message");
    assert!(
        !message.is_empty() && !message.contains('\n'),
        "{code}: {message}"
    );
}
