//! The contract row by row: the rows that no other file covers, and the places of the rest.
//!
//! | rows | tests |
//! |---|---|
//! | endpoints, scopes, methods | `doors`, `docs`, `http_api` |
//! | `POST /orchestrate`: 200, 206, 202, errors | `orchestrate`, `jobs`, here |
//! | batch, status, cancel | `batch`, `jobs` |
//! | health, readiness, metrics in both formats | `http_api`, `scrape`, here |
//! | registry, policies, breakers, incidents at run time | `admin`, `registration`, `reload`, `outcomes` |
//! | plan, resume, early decision, hedges | `beyond`; the FMS endpoint: the workspace's `tests/it/fms` |
//! | request fields and their limits | here, `limits`, `fuzz` |
//! | headers of requests and answers | here, `orchestrate`, `jobs` |
//! | response fields | `orchestrate`, `outcomes`, here |
//! | errors with `retryable` | `errors`. `AGGREGATION_FAILED` and `INTERNAL_ERROR` have no cause that a client or a detector could bring about: `fuzz` looks for one |
//! | selection, coverage, conflicts | `orchestrate`, `admin`, `outcomes` |
//! | time, retries, hedging, breaker, bulkhead, health | `promises`, `resilience`, `replicas`, `overload`, `outcomes` |
//! | cache, coalescing, stale answers | `orchestrate`, `sharing`, `redis` |
//! | idempotency, jobs, rate limits | `jobs`, `redis`, `tests/kill_nine.rs`, here |
//! | auth, tenants, privacy | `doors`, `canary` |
//! | metrics: names and labels | here, `scrape`, `limits` |

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Method;
use job_store::rate_limit::{self, Quota};
use orchestrator::config::{ApiKey, AuthMode};
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, request, settings, settings_at, start};

pub async fn send(service: &Service, headers: &[(&str, &str)], body: &Value) -> Response {
    let body = body.to_string();
    service
        .send(Method::POST, "/orchestrate", headers, body)
        .await
}

#[tokio::test]
async fn request_fields_are_checked_one_by_one() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let long = |count: usize| json!("x".repeat(count));
    for (field, value, accepted) in [
        ("content", json!(""), false),
        ("content", long(50_000), true),
        ("content", json!("ä".repeat(50_000)), true),
        ("content", long(50_001), false),
        ("content", Value::Null, false),
        ("content_type", json!("text"), true),
        ("content_type", json!("image"), true),
        ("content_type", json!("document"), true),
        ("content_type", json!("code"), true),
        ("content_type", json!("video"), false),
        ("content_type", Value::Null, false),
        ("tenant_id", long(1), true),
        ("tenant_id", long(64), true),
        ("tenant_id", long(65), false),
        ("tenant_id", json!(""), false),
        ("tenant_id", json!("a\nb"), false),
        ("tenant_id", Value::Null, false),
        ("policy_bundle", json!("default"), true),
        ("policy_bundle", Value::Null, true),
        ("policy_bundle", json!(7), false),
        ("environment", json!("dev"), true),
        ("environment", json!("stage"), true),
        ("environment", json!("prod"), true),
        ("environment", json!("test"), false),
        ("processing_mode", json!("sync"), true),
        ("processing_mode", json!("later"), false),
        ("priority", json!("low"), true),
        ("priority", json!("normal"), true),
        ("priority", json!("high"), true),
        ("priority", json!("critical"), true),
        ("priority", json!("urgent"), false),
        ("metadata", json!({"any": ["thing"]}), true),
        ("metadata", Value::Null, true),
        ("metadata", json!([]), false),
        ("required_detectors", Value::Null, true),
        ("required_detectors", json!([]), true),
        ("required_detectors", json!("a"), false),
        ("excluded_detectors", Value::Null, true),
        ("excluded_detectors", json!([7]), false),
        ("a_field_that_nobody_knows", json!({"x": 1}), true),
    ] {
        let answer = service.orchestrate(json!({ field: value })).await;
        let shown: String = value.to_string().chars().take(40).collect();
        if accepted {
            assert_eq!(answer.status, 200, "{field}: {shown}: {}", answer.text);
            continue;
        }
        assert_eq!(answer.status, 400, "{field}: {shown}: {}", answer.text);
        assert_eq!(
            answer.json["error_code"], "INVALID_REQUEST",
            "{field}: {shown}"
        );
        let named = answer.json["details"]["field"].as_str().unwrap_or("");
        assert!(
            named.starts_with(field),
            "{field}: {shown} is blamed on {named}"
        );
    }
}

#[tokio::test]
async fn the_tenant_is_the_bodys_then_the_headers_then_the_keys() {
    let a = Detector::start(Act::Clean).await;
    let mut keyed = config(vec![settings("a", &a)]);
    keyed.auth.mode = AuthMode::Optional;
    keyed.auth.header = "X-Other-Key".to_owned();
    keyed.auth.keys = vec![ApiKey {
        sha256: orchestrator::hash_key("k"),
        tenant: "of-key".to_owned(),
        scopes: vec!["admin".to_owned()],
    }];
    let service = start(keyed).await;
    let (key, header) = (("x-other-key", "k"), ("x-tenant-id", "of-header"));
    for (body, headers, tenant) in [
        (json!("of-body"), vec![key, header], Some("of-body")),
        (Value::Null, vec![key, header], Some("of-header")),
        (Value::Null, vec![key], Some("of-key")),
        (Value::Null, vec![header], Some("of-header")),
        (Value::Null, vec![], None),
        // The default header is ignored if another one is configured.
        (Value::Null, vec![("x-api-key", "wrong")], None),
    ] {
        let answer = send(&service, &headers, &request(json!({ "tenant_id": body }))).await;
        let found = answer.json["aggregated_payload"]["tenant_id"].as_str();
        assert_eq!(found, tenant, "{headers:?} {}", answer.text);
        assert_eq!(answer.status, if tenant.is_some() { 200 } else { 400 });
    }
    let wrong = send(&service, &[("x-other-key", "wrong")], &request(json!({}))).await;
    assert_eq!(wrong.status, 401);
    let long = "x".repeat(65);
    let unused = [("x-tenant-id", long.as_str())];
    let answer = send(&service, &unused, &request(json!({}))).await;
    assert_eq!(
        answer.json["details"]["field"], "X-Tenant-ID",
        "not used and wrong all the same"
    );
}

#[tokio::test]
async fn answers_have_their_headers_and_the_same_values_in_the_body() {
    let a = Detector::start(Act::Clean).await;
    let service = start(config(vec![settings("a", &a)])).await;
    let headers = [("x-request-id", "mine"), ("idempotency-key", "key")];
    for round in ["first", "again"] {
        let answer = send(&service, &headers, &request(json!({}))).await;
        assert_eq!(answer.status, 200, "{round}");
        assert_eq!(
            answer.header("x-orchestrator-request-id"),
            "mine",
            "{round}"
        );
        assert_eq!(answer.header("idempotency-key"), "key", "{round}");
        assert_eq!(answer.json["request_id"], "mine", "{round}");
        assert_eq!(answer.json["idempotency_key"], "key", "{round}");
        assert_eq!(
            answer.json["version_info"]["policy"], "default@0",
            "{round}"
        );
        let time = answer.json["timestamp"].as_str().unwrap_or("");
        assert!(
            time.contains('T') && time.ends_with('Z'),
            "{time} is RFC 3339"
        );
    }
    let answer = service.orchestrate(json!({"content": "other"})).await;
    let timing = answer.header("server-timing");
    let parts: Vec<&str> = timing
        .split(", ")
        .filter_map(|part| part.split(";dur=").next())
        .collect();
    assert_eq!(parts, ["routing", "detectors", "aggregation"], "{timing}");
    for path in [
        "/orchestrate",
        "/orchestrate/plan",
        "/orchestrate/resume",
        "/orchestrate/batch",
    ] {
        for body in [request(json!({})), json!(7)] {
            let answer = service.post(path, &body).await;
            assert!(
                !answer.header("x-orchestrator-request-id").is_empty(),
                "{path} {body}"
            );
        }
    }
}

#[tokio::test]
async fn a_replayed_answer_has_the_headers_of_the_first_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Status(500, None)).await,
    );
    let mut durable = config(vec![settings("a", &a), settings("b", &b)]);
    durable.store = Some(job_store::Config::new(folder.path().join("jobs.redb")));
    let service = start(durable).await;
    for (key, body, status, header) in [
        (
            "job",
            request(json!({"processing_mode": "async"})),
            202,
            "location",
        ),
        ("partial", request(json!({})), 206, "cache-control"),
    ] {
        let first = send(&service, &[("idempotency-key", key)], &body).await;
        let again = send(&service, &[("idempotency-key", key)], &body).await;
        assert_eq!(
            (first.status, again.status),
            (status, status),
            "{}",
            again.text
        );
        assert_eq!(first.text, again.text);
        assert_ne!(first.header(header), "", "{key}");
        assert_eq!(first.header(header), again.header(header), "{key}");
        assert_eq!(again.header("idempotent-replayed"), "true");
    }
}

#[tokio::test]
async fn a_second_request_with_the_key_of_a_running_one_waits_for_its_answer() {
    let slow = Act::Slow(Duration::from_millis(300), Box::new(Act::Clean));
    let a = Detector::start(slow).await;
    let service = start(config(vec![settings("a", &a)])).await;
    // Critical requests share no flight; only the key combines them.
    let body = request(json!({"priority": "critical"}));
    let headers = [("idempotency-key", "k")];
    let both = tokio::join!(
        send(&service, &headers, &body),
        send(&service, &headers, &body)
    );
    assert_eq!((both.0.status, both.1.status), (200, 200));
    assert_eq!(both.0.text, both.1.text);
    assert_eq!(a.count(), 1);
}

#[tokio::test]
async fn health_tells_version_and_environment() {
    let service = start(config(vec![settings_at("a", "http://127.0.0.1:1/detect")])).await;
    let health = service.get("/health").await.json;
    let fields: BTreeSet<&str> = health
        .as_object()
        .expect("fields")
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "detectors_healthy",
        "detectors_total",
        "environment",
        "status",
        "version",
    ];
    assert_eq!(fields, BTreeSet::from(expected));
    assert_eq!(health["environment"], "dev");
    let ready = service.get("/health/ready").await.json;
    for name in ["detectors", "cache", "job_store"] {
        assert!(ready["dependencies"][name].is_boolean(), "{name}");
    }
}

/// The name, and the labels in alphabetical order.
const METRICS: [(&str, &str); 17] = [
    (
        "orchestrate_requests_total",
        "policy,processing_mode,status,tenant",
    ),
    ("orchestrate_request_duration_ms_bucket", "le"),
    ("orchestrate_overhead_ms_bucket", "le"),
    ("detector_latency_ms_bucket", "detector,le,status"),
    ("detector_health_status", "detector"),
    ("detector_health_check_duration_ms_bucket", "detector,le"),
    ("circuit_breaker_state", "detector,state"),
    ("coverage_achieved", "policy,tenant"),
    (
        "policy_enforcement_total",
        "policy,status,tenant,violation_type",
    ),
    (
        "orchestrator_rate_limit_requests_total",
        "action,endpoint,tenant",
    ),
    ("orchestrate_cache_total", "result"),
    ("detector_attempts_total", "detector"),
    ("detector_retries_total", "detector"),
    ("detector_hedges_total", "detector"),
    ("detector_retry_budget_exhausted_total", "detector"),
    ("detector_in_flight", "detector"),
    ("orchestrate_jobs", "state"),
];

#[tokio::test]
async fn metrics_have_the_contracts_labels() {
    let a = Detector::start(Act::Clean).await;
    let mut limited = config(vec![settings("a", &a)]);
    limited.rate_limit = Some(rate_limit::Config {
        default: Some(Quota {
            rate_per_s: 100.0,
            burst: 100,
        }),
        endpoints: BTreeMap::new(),
        tenants: BTreeMap::new(),
        max_keys: 100,
    });
    let service = start(limited).await;
    service.orchestrate(json!({})).await;
    service
        .until_metric("detector_health_check_duration_ms_count{detector=\"a\"} 1")
        .await;
    let text = service.get("/metrics").await.text;
    for (name, labels) in METRICS {
        let begin = format!("{name}{{");
        let series: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with(&begin))
            .collect();
        assert!(!series.is_empty(), "{name} is not there");
        for line in series {
            let inside = line[begin.len()..].split('}').next().expect("labels");
            let mut names: Vec<&str> = inside
                .split(',')
                .filter_map(|it| it.split('=').next())
                .collect();
            names.sort_unstable();
            assert_eq!(names.join(","), labels, "{line}");
        }
    }
}
