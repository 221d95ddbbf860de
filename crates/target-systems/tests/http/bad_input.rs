//! Invalid requests: the response states the error, they are counted, and leave nothing behind.

use serde_json::{Value, json};

use crate::error;
use crate::served::{Response, Served};

fn told(answer: &Response, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text);
    let detail = answer.body["detail"].as_str().unwrap_or_default();
    assert!(!detail.is_empty(), "{}", answer.text);
}

/// Responses so far by status, from the metrics.
async fn counted(system: &Served) -> std::collections::BTreeMap<String, u64> {
    let text = system.get("/metrics").await.text;
    let mut counts = std::collections::BTreeMap::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("sparring_target_requests_total{") else {
            continue;
        };
        let status = rest.split("status=\"").nth(1).unwrap_or_default();
        let status = status.split('"').next().unwrap_or_default();
        let count = rest.rsplit(' ').next().unwrap_or_default();
        *counts.entry(status.to_owned()).or_default() += count.parse::<u64>().expect("a count");
    }
    counts
}

#[tokio::test]
async fn bad_requests_say_what_is_wrong_and_are_counted_and_journalled() {
    let system = Served::start("agent360").await;
    let run = "/agent/execute";
    for (path, body, status) in [
        (run, "{\"query\": \"x\", \"tools\": [\"magic\"]}", 422),
        (run, "{\"query\": \"x\"}", 422),
        (run, "{\"query\": \"x\", \"tools\": []}", 422),
        (run, "{\"query\": \"x\", \"tools\": \"rest_tool\"}", 422),
        (run, "[]", 422),
        (run, "{\"query\"", 400),
        (run, "", 422),
        (
            run,
            "{\"query\": \"x\", \"query\": \"y\", \"tools\": [\"rest_tool\"]}",
            400,
        ),
        (
            "/data/process",
            "{\"data_size\": \"huge\", \"operations\": [\"transform\"]}",
            422,
        ),
        ("/workflow/none/step", "{\"step_data\": \"x\"}", 404),
        ("/workflow/none/complete", "{}", 404),
    ] {
        let answer = system.send("POST", path, Some(body), &[]).await;
        told(&answer, status);
    }
    told(
        &system
            .send("POST", run, Some(&"x".repeat(200_000)), &[])
            .await,
        413,
    );
    told(&system.send("DELETE", run, None, &[]).await, 405);
    told(&system.get("/nowhere").await, 404);
    let journal = system.get("/__admin/journal").await.body;
    assert_eq!(journal["recorded"], 14);
    let entries = journal["entries"].as_array().expect("entries");
    assert!(entries.iter().all(|one| one["error_type"] != Value::Null));
    let counts = counted(&system).await;
    assert_eq!(counts.values().sum::<u64>(), 14, "{counts:?}");
    let of = |status: &str| counts[status];
    assert_eq!((of("400"), of("404"), of("422")), (2, 3, 7), "{counts:?}");
    assert_eq!(system.get("/__admin").await.body["in_flight"], 0);
}

#[tokio::test]
async fn unknown_ids_are_not_found_in_every_system() {
    for (name, method, path, body) in [
        ("acso", "GET", "/api/v1/workflows/none", None),
        ("aiaas", "POST", "/api/v1/workflows/none/execute", None),
        ("acis", "GET", "/api/jobs/none", None),
        (
            "acis",
            "POST",
            "/api/trading/execute",
            Some("{\"client_id\": 5000, \"symbol\": \"A\", \"side\": \"buy\", \"quantity\": 1}"),
        ),
        ("agent360", "POST", "/workflow/none/complete", None),
    ] {
        let system = Served::start(name).await;
        let answer = system.send(method, path, body, &[]).await;
        assert_eq!(error(&answer), (404, "not_found"), "{name} {path}");
        told(&answer, 404);
    }
}

#[tokio::test]
async fn headers_and_lengths_that_are_wrong_are_refused() {
    let system = Served::start("lab").await;
    let long = "x".repeat(300);
    for name in ["x-request-id", "x-tenant-id"] {
        let answer = system.send("GET", "/mm1", None, &[(name, &long)]).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text);
    }
    let odd = [("x-attempt", "many")];
    assert_eq!(system.send("GET", "/mm1", None, &odd).await.status, 200);
}

#[tokio::test]
async fn admin_requests_that_are_wrong_are_refused_and_change_nothing() {
    let system = Served::start("lab").await;
    for (method, path, body, status) in [
        ("PATCH", "/__admin/profile", "{", 400),
        (
            "PATCH",
            "/__admin/profile",
            "{\"hosts\": {\"cpu1\": {\"cpu_cors\": 2}}}",
            422,
        ),
        (
            "PATCH",
            "/__admin/limits",
            "{\"cpu1\": {\"cpu_cores\": -1}}",
            422,
        ),
        ("PATCH", "/__admin/limits?in_flight=release", "{}", 422),
        ("PATCH", "/__admin/profile?in_flight=redraw", "{}", 422),
        ("PATCH", "/__admin/profile?in_flight=never", "{}", 422),
        ("POST", "/__admin/reset?in_flight=release", "", 422),
        ("PATCH", "/__admin/toggles", "{\"nothing\": true}", 422),
        ("POST", "/__admin/crash", "{\"host\": 1}", 422),
        ("POST", "/__admin/crash", "{\"host\": \"none\"}", 404),
        (
            "POST",
            "/__admin/crash",
            "{\"host\": \"cpu1\", \"instance\": 9}",
            409,
        ),
        (
            "POST",
            "/__admin/populate",
            "{\"store\": \"none\", \"rows\": 1}",
            404,
        ),
        ("GET", "/__admin/truth?users=1&rate_per_s=1", "", 422),
        ("GET", "/__admin/truth?user=1", "", 422),
        ("PATCH", "/__admin/limits?ttl_ms=soon", "{}", 422),
    ] {
        let answer = system.send(method, path, Some(body), &[]).await;
        assert_eq!(
            answer.status, status,
            "{method} {path} {body}: {}",
            answer.text
        );
    }
    let rows = "{\"store\": \"rows\", \"row\": \"5\"}";
    let rows = system
        .send("POST", "/__admin/populate", Some(rows), &[])
        .await;
    assert_eq!(
        rows.body["message"],
        "row: unknown field; did you mean `rows`?; rows: is required and missing"
    );
    let refused = system
        .send("PATCH", "/__admin/limits?in_flight=redraw", Some("{}"), &[])
        .await;
    assert_eq!(refused.body["error"], "in_flight");
    let taken = system
        .send(
            "PATCH",
            "/__admin/limits?in_flight=finish",
            Some("{\"cpu1\": {\"cpu_cores\": 2}}"),
            &[],
        )
        .await;
    assert_eq!((taken.status, &taken.body["revision"]), (200, &json!(2)));
}

#[tokio::test]
async fn a_wrong_number_of_requests_to_plan_is_told_with_what_is_right() {
    let system = Served::start("lab").await;
    let hint = "use a whole number of at least 0";
    for (n, message) in [
        ("0", "n: 0 is not between 1 and 10000".to_owned()),
        ("10001", "n: 10001 is not between 1 and 10000".to_owned()),
        ("-1", format!("n: `-1`: {hint}")),
        ("many", format!("n: `many`: {hint}")),
        ("1.5", format!("n: `1.5`: {hint}")),
        ("", format!("n: ``: {hint}")),
    ] {
        let answer = system.get(&format!("/__admin/plan?n={n}")).await;
        assert_eq!(answer.status, 422, "{n}: {}", answer.text);
        assert_eq!(answer.body["error"], "query");
        assert_eq!(answer.body["message"], message);
    }
    let most = system.get("/__admin/plan?endpoint=md1&n=10000").await;
    let planned = most.body["requests"].as_array().map(Vec::len);
    assert_eq!(planned, Some(10_000));
}

#[tokio::test]
async fn the_page_of_a_system_tells_all_that_it_offers() {
    let acis = Served::start("acis").await;
    let page = acis.get("/").await.text;
    for part in [
        "POST /api/trading/execute",
        "client_id, symbol, side, quantity required",
        "quantity 0 or more",
        "Success: 202",
        "clients 50, predict 40, trade 10",
        "as_documented",
        "pool_exhausted",
        "/__admin/crash",
        "/__admin/journal",
        "/__admin/log",
        "/health/ready",
    ] {
        assert!(page.contains(part), "no {part:?} in {page}");
    }
}
