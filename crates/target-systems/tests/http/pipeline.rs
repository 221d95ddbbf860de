//! A single path for all responses: every rejection is in the journal and in the metrics.

use serde_json::{Value, json};
use target_systems::systems;

use crate::served::Served;

/// Entries of the journal: (endpoint, status, `error_type`).
async fn journalled(system: &Served) -> Vec<(String, u64, String)> {
    let journal = system.get("/__admin/journal").await.body;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = journal["entries"].as_array().expect("entries").iter();
    entries
        .map(|one| {
            let status = one["status"].as_u64().expect("a status");
            (text(&one["endpoint"]), status, text(&one["error_type"]))
        })
        .collect()
}

async fn counted(system: &Served, endpoint: &str, status: u16, error_type: &str) -> f64 {
    let series = format!(
        "sparring_target_requests_total{{endpoint=\"{endpoint}\",error_type=\"{error_type}\",status=\"{status}\"}}"
    );
    system.metric(&series).await.unwrap_or(0.0)
}

#[tokio::test]
async fn headers_that_cannot_be_read_are_refused_journalled_and_counted() {
    let system = Served::start("lab").await;
    let long = [b'x'; 300];
    let wrong: [(&str, &[u8]); 4] = [
        ("x-request-id", b"caf\xe9"),
        ("x-tenant-id", b"\xff\xfe"),
        ("x-request-id", &long),
        ("x-attempt", b"\xe9"),
    ];
    for (name, value) in wrong {
        let refused = system
            .send_bytes("GET", "/mm1", None, &[(name, value)])
            .await;
        assert_eq!(refused.status, 400, "{name}: {}", refused.text);
        assert_eq!(refused.body["error_type"], "bad_request");
        let detail = refused.body["detail"].as_str().unwrap_or_default();
        assert!(detail.starts_with(name), "{detail}");
        assert!(!refused.header("x-sparring-decision").is_empty());
    }
    let expected = ("mm1".to_owned(), 400, "bad_request".to_owned());
    assert_eq!(journalled(&system).await, vec![expected; 4]);
    assert_eq!(counted(&system, "mm1", 400, "bad_request").await, 4.0);
}

#[tokio::test]
async fn upgrades_that_are_refused_or_not_asked_for_are_journalled_and_counted() {
    let system = Served::start("aiaas").await;
    let plain = system.get("/api/v1/ws").await;
    assert_eq!((plain.status, plain.header("upgrade")), (426, "websocket"));
    let none = json!({ "components": { "hub": { "max_connections": 1 } } }).to_string();
    let patched = system
        .send("PATCH", "/__admin/profile", Some(&none), &[])
        .await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    let inside = crate::sockets::open(&system).await.expect("room for one");
    assert_eq!(crate::sockets::refusal(&system).await, Some(503));
    drop(inside);
    let host = system.get("/__admin/profile").await.body["components"]["hub"]["host"].clone();
    let host = host.as_str().unwrap_or("hub").to_owned();
    let crashed = system
        .post("/__admin/crash", &json!({ "host": host }))
        .await;
    assert_eq!(crashed.status, 200, "{}", crashed.text);
    let status = crate::sockets::refusal(&system).await.expect("a refusal");
    assert!([502, 503].contains(&status), "{status}");
    let entries = journalled(&system).await;
    let statuses: Vec<u64> = entries.iter().map(|one| one.1).collect();
    assert_eq!(statuses, [426, 101, 503, u64::from(status)], "{entries:?}");
    assert!(entries.iter().all(|one| !one.0.is_empty()), "{entries:?}");
    let endpoint = &entries[0].0;
    assert_eq!(counted(&system, endpoint, 426, "bad_request").await, 1.0);
    assert_eq!(counted(&system, endpoint, 101, "").await, 1.0);
    assert!(counted(&system, endpoint, 503, "unavailable").await >= 1.0);
    assert_eq!(system.get("/__admin").await.body["in_flight"], 0);
}

#[tokio::test]
async fn the_scheme_of_credentials_has_no_case() {
    let system = Served::start("aiaas").await;
    let user = json!({"username": "test_user", "password": "test_password"});
    let token = system.post("/api/v1/auth/login", &user).await;
    let token = token.body["token"].as_str().expect("a token").to_owned();
    for (scheme, status) in [
        ("Bearer", 200),
        ("bearer", 200),
        ("BEARER ", 200),
        ("Basic", 401),
    ] {
        let credentials = format!("{scheme} {token}");
        let with = [("authorization", credentials.as_str())];
        let answer = system.send("GET", "/api/v1/agents", None, &with).await;
        assert_eq!(answer.status, status, "{scheme}: {}", answer.text);
    }
    let wrong = json!({"username": "test_user", "password": "x"});
    let refused = system.post("/api/v1/auth/login", &wrong).await;
    assert_eq!(
        (refused.status, refused.header("www-authenticate")),
        (401, "Bearer")
    );
}

#[tokio::test]
async fn a_method_that_is_not_offered_is_told_those_that_are() {
    let system = Served::start("lab").await;
    for (method, path, allow) in [
        ("POST", "/mm1", "GET, HEAD"),
        ("POST", "/__admin/limits", "GET,HEAD,PATCH"),
        ("PUT", "/__admin/reset", "POST"),
    ] {
        let refused = system.send(method, path, None, &[]).await;
        assert_eq!(
            (refused.status, refused.header("allow")),
            (405, allow),
            "{path}"
        );
        assert!(refused.body.is_object(), "{path}: {}", refused.text);
    }
    assert_eq!(system.send("HEAD", "/mm1", None, &[]).await.status, 200);
}

#[tokio::test]
async fn every_declared_series_exists_before_anything_has_happened() {
    for (name, series) in [
        (
            "agent360",
            vec![
                "request_latency_seconds_count{endpoint=\"execute\"}",
                "request_errors_total{endpoint=\"execute\",error_type=\"queue_full\"}",
                "request_errors_total{endpoint=\"execute\",error_type=\"bad_request\"}",
                "db_latency_seconds_count{component=\"cassandra\"}",
            ],
        ),
        (
            "aiaas",
            vec![
                "tool_execution_seconds_count{tool=\"payment\"}",
                "workflow_execution_seconds_count",
                "websocket_message_seconds_count",
                "messages_processed_total",
                "websocket_connections",
                "sparring_target_messages_total{endpoint=\"socket\",error_type=\"\"}",
            ],
        ),
        (
            "acis",
            vec!["http_requests_total{method=\"GET\",path=\"/api/clients\",status=\"200\"}"],
        ),
    ] {
        let system = Served::start(name).await;
        for one in series {
            assert_eq!(system.metric(one).await, Some(0.0), "{name}: {one}");
        }
        // Every declared metric has a series, including gauges without a value.
        let declared = target_systems::System::read(systems::text(name).expect("embedded"));
        let text = system.get("/metrics").await.text;
        for metric in declared.expect("shipped").document.metrics {
            let mut lines = text.lines();
            assert!(
                lines.any(|line| line.starts_with(&metric.name)),
                "{name}: {}",
                metric.name
            );
        }
    }
}

/// Method, path, body, and the status and name of the error.
type Wrong<'a> = (&'a str, &'a str, &'a str, u16, &'a str);

const WRONG: [Wrong<'static>; 32] = [
    ("PATCH", "/__admin/profile", "{", 400, "malformed_json"),
    (
        "PATCH",
        "/__admin/profile",
        "{\"a\": 1, \"a\": 2}",
        400,
        "duplicate_key",
    ),
    ("POST", "/__admin/crash", "{", 400, "malformed_json"),
    (
        "PATCH",
        "/__admin/profile",
        "{\"hosts\": 1}",
        422,
        "invalid_profile",
    ),
    ("PUT", "/__admin/profile", "[]", 422, "invalid_profile"),
    (
        "PATCH",
        "/__admin/limits",
        "{\"cpu9\": {\"cpu_cores\": 2}}",
        422,
        "invalid_profile",
    ),
    (
        "PATCH",
        "/__admin/toggles",
        "{\"parallel\": null}",
        422,
        "invalid_profile",
    ),
    (
        "PATCH",
        "/__admin/toggles",
        "{\"parallel\": 1}",
        422,
        "invalid_profile",
    ),
    (
        "PATCH",
        "/__admin/toggles",
        "{\"nothing\": true}",
        422,
        "invalid_profile",
    ),
    ("PATCH", "/__admin/toggles", "[]", 422, "invalid_profile"),
    (
        "POST",
        "/__admin/crash",
        "{\"host\": 1}",
        422,
        "invalid_body",
    ),
    (
        "POST",
        "/__admin/crash",
        "{\"hots\": \"cpu1\"}",
        422,
        "invalid_body",
    ),
    (
        "POST",
        "/__admin/crash",
        "{\"host\": \"none\"}",
        404,
        "unknown_host",
    ),
    (
        "POST",
        "/__admin/populate",
        "{\"store\": \"none\", \"rows\": 1}",
        404,
        "unknown_store",
    ),
    (
        "DELETE",
        "/__admin/populate",
        "{\"store\": \"none\", \"rows\": 1}",
        404,
        "unknown_store",
    ),
    (
        "POST",
        "/__admin/populate",
        "{\"store\": \"rows\", \"rows\": -1}",
        422,
        "invalid_body",
    ),
    (
        "POST",
        "/__admin/crash",
        "{\"host\": \"cpu1\", \"instance\": 9}",
        409,
        "instance",
    ),
    ("PATCH", "/__admin/limits?ttl=1", "{}", 422, "query"),
    ("PATCH", "/__admin/limits?ttl_ms=x", "{}", 422, "query"),
    ("GET", "/__admin/truth?user=1", "", 422, "query"),
    ("GET", "/__admin/truth?users=many", "", 422, "query"),
    (
        "GET",
        "/__admin/truth?users=1&rate_per_s=1",
        "",
        422,
        "query",
    ),
    ("GET", "/__admin/truth?users=0", "", 422, "truth"),
    ("GET", "/__admin/truth?mix=nobody", "", 404, "unknown_mix"),
    ("GET", "/__admin/plan?n=-1", "", 422, "query"),
    (
        "GET",
        "/__admin/plan?endpoint=none",
        "",
        404,
        "unknown_endpoint",
    ),
    ("GET", "/__admin/journal?status=x", "", 422, "query"),
    ("GET", "/__admin/verify?status=x", "", 422, "query"),
    (
        "DELETE",
        "/__admin/overlays/none",
        "",
        404,
        "unknown_overlay",
    ),
    ("PUT", "/__admin/overlays/a%20b", "{}", 422, "overlay_name"),
    ("GET", "/__admin/nothing", "", 404, "not_found"),
    ("DELETE", "/__admin/profile", "", 405, "method_not_allowed"),
];

#[tokio::test]
async fn errors_of_the_admin_api_have_one_form_and_the_code_of_their_kind() {
    let system = Served::start("lab").await;
    let long = format!("{{\"host\": \"{}\"}}", "x".repeat(3 << 20));
    let long: Wrong<'_> = ("POST", "/__admin/crash", &long, 413, "too_long");
    for (method, path, body, status, error) in WRONG.into_iter().chain([long]) {
        let refused = system.send(method, path, Some(body), &[]).await;
        let shown = &body[..body.len().min(80)];
        assert_eq!(
            refused.status, status,
            "{method} {path} {shown}: {}",
            refused.text
        );
        assert_eq!(
            refused.body["error"], error,
            "{method} {path} {shown}: {}",
            refused.text
        );
        let message = refused.body["message"].as_str().unwrap_or_default();
        assert!(
            !message.is_empty(),
            "{method} {path} {shown}: {}",
            refused.text
        );
    }
    let state = system.get("/__admin").await.body;
    assert_eq!(state["revision"], 1, "nothing has changed: {state}");
    // A path of the admin API is not the system's.
    assert_eq!(journalled(&system).await, []);
}
