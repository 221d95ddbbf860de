//! Authorization: every route with its scope, and isolation of tenants.

use detector_api::scope;
use http::Method;
use orchestrator::Config;
use orchestrator::config::{ApiKey, AuthMode};
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, request, settings, start};

/// Every operation and its scope; `None` means open to all.
const DOORS: [(&str, &str, Option<&str>); 29] = [
    ("post", "/orchestrate", Some(scope::ORCHESTRATE_WRITE)),
    ("post", "/orchestrate/batch", Some(scope::ORCHESTRATE_WRITE)),
    (
        "get",
        "/orchestrate/status/{job_id}",
        Some(scope::ORCHESTRATE_STATUS),
    ),
    (
        "delete",
        "/orchestrate/status/{job_id}",
        Some(scope::ORCHESTRATE_WRITE),
    ),
    ("post", "/orchestrate/plan", Some(scope::ORCHESTRATE_WRITE)),
    (
        "post",
        "/orchestrate/resume",
        Some(scope::ORCHESTRATE_WRITE),
    ),
    (
        "post",
        "/api/v2/text/detection/content",
        Some(scope::ORCHESTRATE_WRITE),
    ),
    ("get", "/health", None),
    ("get", "/health/ready", None),
    ("get", "/metrics", None),
    ("get", "/openapi.json", None),
    ("get", "/docs", None),
    ("get", "/detectors", Some(scope::REGISTRY_READ)),
    ("post", "/detectors", Some(scope::REGISTRY_WRITE)),
    ("get", "/detectors/{name}", Some(scope::REGISTRY_READ)),
    ("put", "/detectors/{name}", Some(scope::REGISTRY_WRITE)),
    ("delete", "/detectors/{name}", Some(scope::REGISTRY_WRITE)),
    ("get", "/policies/{tenant}", Some(scope::POLICY_READ)),
    (
        "get",
        "/policies/{tenant}/{bundle}",
        Some(scope::POLICY_READ),
    ),
    (
        "put",
        "/policies/{tenant}/{bundle}",
        Some(scope::POLICY_WRITE),
    ),
    (
        "delete",
        "/policies/{tenant}/{bundle}",
        Some(scope::POLICY_WRITE),
    ),
    (
        "get",
        "/policies/{tenant}/{bundle}/versions",
        Some(scope::POLICY_READ),
    ),
    (
        "post",
        "/policies/{tenant}/{bundle}/versions/{version}/rollback",
        Some(scope::POLICY_WRITE),
    ),
    ("get", "/events/stream", Some(scope::ORCHESTRATE_STATUS)),
    ("get", "/events/incidents", Some(scope::ORCHESTRATE_STATUS)),
    ("get", "/circuit-breakers", Some(scope::ORCHESTRATE_STATUS)),
    (
        "post",
        "/circuit-breakers/{detector}/reset",
        Some(scope::ADMIN),
    ),
    (
        "post",
        "/circuit-breakers/{detector}/force-open",
        Some(scope::ADMIN),
    ),
    // A key may drop its own tenant's entries; see below.
    ("post", "/cache/invalidate", Some(scope::ADMIN)),
];

fn key(name: &str, tenant: &str, scopes: &[&str]) -> ApiKey {
    ApiKey {
        sha256: orchestrator::hash_key(name),
        tenant: tenant.to_owned(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
    }
}

/// A key with each scope alone, one with all scopes except each, and an admin's.
fn guarded(mode: AuthMode) -> Config {
    let mut config = config(Vec::new());
    config.auth.mode = mode;
    for held in scope::ALL {
        config.auth.keys.push(key(held, "t", &[held]));
        let others: Vec<&str> = scope::ALL
            .into_iter()
            .filter(|other| ![held, scope::ADMIN].contains(other))
            .collect();
        let name = format!("not {held}");
        config.auth.keys.push(key(&name, "t", &others));
    }
    config
}

/// The status of an empty call; `None` for an open stream.
async fn knock(service: &Service, method: &str, path: &str, key: Option<&str>) -> u16 {
    let path = path.replace("{tenant}", "t").replace(['{', '}'], "");
    let method: Method = method.to_uppercase().parse().expect("a method");
    let headers: Vec<_> = key.iter().map(|key| ("x-api-key", *key)).collect();
    service.status(method, &path, &headers).await
}

#[tokio::test]
async fn every_route_requires_exactly_its_scope() {
    let service = start(guarded(AuthMode::Required)).await;
    let optional = start(guarded(AuthMode::Optional)).await;
    for (method, path, scope) in DOORS {
        let door = format!("{method} {path}");
        let Some(scope) = scope else {
            assert!(
                [200, 503].contains(&knock(&service, method, path, None).await),
                "{door}"
            );
            continue;
        };
        assert_eq!(knock(&service, method, path, None).await, 401, "{door}");
        assert_eq!(
            knock(&service, method, path, Some("wrong")).await,
            401,
            "{door}"
        );
        assert_eq!(
            knock(&optional, method, path, Some("wrong")).await,
            401,
            "{door}"
        );
        let without = format!("not {scope}");
        let status = knock(&service, method, path, Some(&without)).await;
        // Only its own tenant's data.
        let expected = if path == "/cache/invalidate" {
            200
        } else {
            403
        };
        assert_eq!(status, expected, "{door} without {scope}");
        for held in [scope, scope::ADMIN] {
            let status = knock(&service, method, path, Some(held)).await;
            assert!(
                ![401, 403].contains(&status),
                "{door} with {held}: {status}"
            );
        }
        let open = scope::ANONYMOUS.contains(&scope);
        let status = knock(&optional, method, path, None).await;
        assert_eq!(status != 401, open, "{door} without a key: {status}");
    }
}

#[tokio::test]
async fn every_described_operation_is_in_the_table() {
    let service = start(config(Vec::new())).await;
    let api = service.get("/openapi.json").await.json;
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, methods) in api["paths"].as_object().expect("paths") {
        let methods = methods.as_object().expect("methods").keys();
        described.extend(methods.map(|method| (method.clone(), path.clone())));
    }
    let mut doors: Vec<(String, String)> = DOORS
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    described.sort();
    doors.sort();
    assert_eq!(described, doors);
}

#[tokio::test]
async fn the_scopes_of_callers_without_a_key_are_configurable() {
    let mut open = guarded(AuthMode::Optional);
    open.auth.anonymous = vec![scope::REGISTRY_WRITE.to_owned()];
    let service = start(open).await;
    let status = knock(&service, "delete", "/detectors/{name}", None).await;
    assert_eq!(status, 404, "it may, but there is none");
    assert_eq!(knock(&service, "post", "/orchestrate", None).await, 401);
}

/// Two tenants with a key each, at a service that stores jobs.
struct Two {
    service: Service,
    detector: Detector,
    _folder: tempfile::TempDir,
}

impl Two {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let detector = Detector::start(Act::Clean).await;
        let mut config = config(vec![settings("a", &detector)]);
        config.auth.mode = AuthMode::Required;
        let scopes = &scope::ALL[..6];
        config.auth.keys = vec![key("ann", "ann", scopes), key("bob", "bob", scopes)];
        config.store = Some(job_store::Config::new(folder.path().join("jobs.redb")));
        Self {
            service: start(config).await,
            detector,
            _folder: folder,
        }
    }

    async fn send(&self, key: &str, method: Method, path: &str, body: &Value) -> Response {
        let headers = [("x-api-key", key), ("content-type", "application/json")];
        let body = body.to_string();
        self.service.send(method, path, &headers, body).await
    }

    async fn keyed(&self, key: &str, body: &Value) -> Response {
        let headers = [("x-api-key", key), ("idempotency-key", "same")];
        let body = body.to_string();
        self.service
            .send(Method::POST, "/orchestrate", &headers, body)
            .await
    }
}

/// A request without a tenant, so that the key's counts.
fn own(more: Value) -> Value {
    let mut body = request(more);
    body.as_object_mut().expect("an object").remove("tenant_id");
    body
}

#[tokio::test]
async fn a_tenant_never_sees_another_ones_jobs_answers_or_policies() {
    let two = Two::start().await;
    let job = own(json!({"processing_mode": "async"}));
    let accepted = two.send("ann", Method::POST, "/orchestrate", &job).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let place = accepted.header("location").to_owned();
    let own_view = two.send("ann", Method::GET, &place, &json!({})).await;
    assert_eq!(
        (own_view.status, own_view.json["tenant_id"].as_str()),
        (200, Some("ann"))
    );
    for method in [Method::GET, Method::DELETE] {
        let other = two.send("bob", method, &place, &json!({})).await;
        assert_eq!(other.json["error_code"], "JOB_NOT_FOUND");
    }

    let sync = own(json!({"content": "shared"}));
    for (key, cache) in [("ann", "miss"), ("ann", "hit"), ("bob", "miss")] {
        let answer = two.send(key, Method::POST, "/orchestrate", &sync).await;
        assert_eq!(answer.header("x-cache"), cache, "{key}");
    }
    let dropped = two
        .send("bob", Method::POST, "/cache/invalidate", &json!({}))
        .await;
    assert_eq!(dropped.json["invalidated"], 1, "bob's own");
    let answer = two.send("ann", Method::POST, "/orchestrate", &sync).await;
    assert_eq!(answer.header("x-cache"), "hit");
    let body = json!({"tenant": "ann"});
    let foreign = two
        .send("bob", Method::POST, "/cache/invalidate", &body)
        .await;
    assert_eq!(foreign.status, 403);

    for (method, path) in [
        (Method::PUT, "/policies/ann/p"),
        (Method::GET, "/policies/ann/p"),
        (Method::GET, "/policies/ann"),
        (Method::DELETE, "/policies/ann/p"),
    ] {
        let answer = two.send("bob", method, path, &json!({})).await;
        assert_eq!(answer.json["error_code"], "INSUFFICIENT_RBAC");
    }
    two.send("ann", Method::PUT, "/policies/ann/p", &json!({}))
        .await;
    let named = own(json!({"policy_bundle": "p"}));
    let answer = two.send("bob", Method::POST, "/orchestrate", &named).await;
    assert_eq!(answer.json["error_code"], "POLICY_NOT_FOUND");
    // Of its own, not of others.
    let said = answer.json["message"].as_str().unwrap_or_default();
    let hint = "it has default. Add one with PUT /policies/bob/NAME";
    assert!(said.contains(hint), "{said}");

    let calls = two.detector.count();
    let critical = own(json!({"content": "keyed", "priority": "critical"}));
    let first = two.keyed("ann", &critical).await;
    let second = two.keyed("bob", &critical).await;
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(
        two.detector.count(),
        calls + 2,
        "the same key of two tenants is two keys"
    );
}
