//! The systems over HTTP: routes, errors, admin, metrics, WebSocket.

mod bad_input;
mod bounds;
mod lateness;
mod malformed;
mod pipeline;
mod promises;
mod running;
mod schemas;
mod served;
mod sockets;

use std::time::Duration;

use serde_json::{Value, json};
use served::{Response, Served};

fn error(answer: &Response) -> (u16, &str) {
    (
        answer.status,
        answer.body["error_type"].as_str().unwrap_or_default(),
    )
}

/// A360-08: the requests of WorkflowLoadTest.
#[tokio::test]
async fn a_workflow_goes_from_init_to_complete_and_no_further() {
    let system = Served::start("agent360").await;
    let begun = system
        .post("/workflow/init", &json!({"workflow_type": "analysis"}))
        .await;
    assert_eq!(
        (begun.status, &begun.body["status"]),
        (200, &json!("initialized")),
        "{}",
        begun.body
    );
    let id = begun.body["workflow_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for _ in 0..3 {
        let step = system
            .post(&format!("/workflow/{id}/step"), &json!({"step_data": "x"}))
            .await;
        assert_eq!(
            (step.status, &step.body["status"]),
            (200, &json!("running")),
            "{}",
            step.body
        );
    }
    let done = system
        .post(&format!("/workflow/{id}/complete"), &Value::Null)
        .await;
    assert_eq!(
        (done.status, &done.body["status"]),
        (200, &json!("completed")),
        "{}",
        done.body
    );
    assert_eq!(done.body["steps"], 3);
    let late = system
        .post(&format!("/workflow/{id}/step"), &json!({"step_data": "x"}))
        .await;
    assert_eq!(error(&late), (409, "conflict"));
    let unknown = system
        .post("/workflow/none/step", &json!({"step_data": "x"}))
        .await;
    assert_eq!(error(&unknown), (404, "not_found"));
}

/// AIA-24: the login of the user class.
#[tokio::test]
async fn a_token_is_given_to_known_users_and_asked_for_where_it_is_required() {
    let system = Served::start("aiaas").await;
    let user = json!({"username": "test_user", "password": "test_password"});
    let token = system.post("/api/v1/auth/login", &user).await;
    assert_eq!(token.status, 200, "{}", token.body);
    let bearer = format!("Bearer {}", token.body["token"].as_str().expect("a token"));
    let wrong = json!({"username": "test_user", "password": "x"});
    assert_eq!(system.post("/api/v1/auth/login", &wrong).await.status, 401);
    let invented = [("authorization", "Bearer invented")];
    let refused = system.send("GET", "/api/v1/agents", None, &invented).await;
    assert_eq!(refused.status, 401);
    assert_eq!(system.get("/api/v1/agents").await.status, 200);
    let known = [("authorization", bearer.as_str())];
    assert_eq!(
        system
            .send("GET", "/api/v1/agents", None, &known)
            .await
            .status,
        200
    );
    let off = system
        .send(
            "PATCH",
            "/__admin/toggles",
            Some("{\"auth_optional\": false}"),
            &[],
        )
        .await;
    assert_eq!(off.status, 200, "{}", off.body);
    assert_eq!(system.get("/api/v1/agents").await.status, 401);
    assert_eq!(
        system
            .send("GET", "/api/v1/agents", None, &known)
            .await
            .status,
        200
    );
    let open = system.post("/api/v1/auth/login", &user).await;
    assert_eq!(open.status, 200, "logging in needs no token");
}

#[tokio::test]
async fn answers_say_where_their_time_went() {
    let system = Served::start("aiaas").await;
    let named = [("x-request-id", "r-1"), ("x-tenant-id", "t")];
    let body = json!({"message": "hello", "session_id": "s-1"}).to_string();
    let answer = system
        .send("POST", "/api/v1/chat/message", Some(&body), &named)
        .await;
    assert_eq!(
        (answer.status, &answer.body["session_id"]),
        (200, &json!("s-1")),
        "{}",
        answer.body
    );
    assert_eq!(answer.header("x-request-id"), "r-1");
    let timing = answer.header("server-timing");
    for component in ["router;dur=", "agent;dur=", "queue;dur="] {
        assert!(timing.contains(component), "{timing}");
    }
    assert!(
        answer
            .header("x-sparring-decision")
            .starts_with("rev=1;index=1;key=r-1;fault=none;planned_us=")
    );
    let history = system.get("/api/v1/chat/history/s-1").await;
    assert_eq!(
        history.body["messages"].as_array().map(Vec::len),
        Some(1),
        "{}",
        history.body
    );
    let empty = system.get("/api/v1/chat/history/nobody").await;
    assert_eq!((empty.status, &empty.body["messages"]), (200, &json!([])));
}

#[tokio::test]
async fn limits_change_while_it_runs_and_come_back() {
    let system = Served::start("lab").await;
    let before = system.get("/__admin/limits").await;
    assert_eq!(before.header("etag"), "\"1\"");
    let patch =
        |body: &'static str, query: &'static str| system.send("PATCH", query, Some(body), &[]);
    let changed = patch("{\"cpu1\": {\"cpu_cores\": 2}}", "/__admin/limits").await;
    assert_eq!(
        (changed.status, &changed.body["revision"]),
        (200, &json!(2)),
        "{}",
        changed.body
    );
    assert_eq!(
        system.get("/__admin/limits").await.body["cpu1"]["cpu_cores"],
        2.0
    );
    let answer = system.get("/cpu1").await;
    assert!(answer.header("x-sparring-decision").starts_with("rev=2;"));
    let unknown = patch("{\"cpu9\": {\"cpu_cores\": 2}}", "/__admin/limits").await;
    assert_eq!(unknown.status, 422);
    let message = unknown.body["errors"][0]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(message.contains("did you mean"), "{}", unknown.body);
    let brief = patch(
        "{\"cpu1\": {\"cpu_cores\": 4}}",
        "/__admin/limits?ttl_ms=50",
    )
    .await;
    assert_eq!(brief.status, 200, "{}", brief.body);
    system
        .until("/__admin/limits", |limits| {
            limits["cpu1"]["cpu_cores"] == 2.0
        })
        .await;
    let reset = system.send("POST", "/__admin/reset", None, &[]).await;
    assert_eq!(reset.status, 200, "{}", reset.body);
    assert_eq!(
        system.get("/__admin/limits").await.body["cpu1"]["cpu_cores"],
        1.0
    );
    let stale = [("if-match", "\"1\"")];
    let refused = system
        .send("PATCH", "/__admin/limits", Some("{}"), &stale)
        .await;
    assert_eq!(refused.status, 412);
}

/// C-22: causes in the journal, in the metrics and with the client are the same.
#[tokio::test]
async fn a_host_a_component_and_a_pool_of_one_name_show_their_limits_together() {
    let system = Served::start("agent360").await;
    let limits = system.get("/__admin/limits").await.body;
    let shown = &limits["cassandra"];
    assert_eq!(
        [&shown["cpu_cores"], &shown["slots"], &shown["size"]],
        [&json!(4.0), &json!(128), &json!(64)],
        "{limits}"
    );
    // The displayed limits can be sent back with changes.
    let patch = "{\"cassandra\": {\"cpu_cores\": 2, \"slots\": 32, \"size\": 16}}";
    let changed = system
        .send("PATCH", "/__admin/limits", Some(patch), &[])
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let limits = system.get("/__admin/limits").await.body;
    let shown = &limits["cassandra"];
    assert_eq!(
        [&shown["cpu_cores"], &shown["slots"], &shown["size"]],
        [&json!(2.0), &json!(32), &json!(16)],
        "{limits}"
    );
    let reset = system
        .send("POST", "/__admin/reset", Some(""), &[])
        .await
        .body;
    let resources = system.get("/__admin/resources").await.body;
    assert_eq!(resources["revision"], reset["revision"], "{resources}");
}

#[tokio::test]
async fn a_request_leaks_once_whatever_it_visits_and_the_truth_says_so() {
    let system = Served::start("agent360").await;
    let on = system
        .send("PATCH", "/__admin/toggles", Some("{\"leak\": true}"), &[])
        .await;
    assert_eq!(on.status, 200, "{}", on.text);
    let run = json!({"query": "x", "tools": ["database_tool"]});
    for _ in 0..5 {
        assert_eq!(system.post("/agent/execute", &run).await.status, 200);
    }
    let resources = system.get("/__admin/resources").await.body;
    let leaked = &resources["hosts"]["agent360"]["instances"][0]["memory_bytes"]["leaked"];
    assert_eq!(*leaked, json!(5.0 * 200.0 * 1024.0), "{resources}");
    let truth = system
        .get("/__admin/truth?mix=basic&rate_per_s=50")
        .await
        .body;
    let hosts = truth["memory"].as_array().expect("memory of hosts");
    let host = hosts.iter().find(|one| one["host"] == "agent360");
    let slope = &host.expect("it leaks")["leak_mb_per_s"]["value"];
    assert_eq!(*slope, json!(200.0 * 50.0 / 1024.0), "{truth}");
}

#[tokio::test]
async fn every_failure_has_a_cause_and_causes_add_up() {
    let system = Served::start("lab").await;
    let small = "{\"mm1k\": {\"queue\": {\"capacity\": 0}}}";
    let patched = system
        .send("PATCH", "/__admin/limits", Some(small), &[])
        .await;
    assert_eq!(patched.status, 200, "{}", patched.body);
    let many = (0..60).map(|_| system.get("/mm1k"));
    let answers = futures_util::future::join_all(many).await;
    let refused = answers.iter().filter(|answer| answer.status == 503).count();
    assert!(refused > 0 && refused < 60, "{refused} of 60");
    let path = format!("/__admin/verify?error_type=queue_full&count={refused}");
    assert_eq!(system.get(&path).await.status, 200);
    let metrics = system.get("/metrics").await.text;
    let series = "sparring_target_requests_total{endpoint=\"mm1k\",error_type=\"queue_full\",status=\"503\"}";
    let line = metrics
        .lines()
        .find(|line| line.starts_with(series))
        .expect("the series");
    assert_eq!(line.rsplit(' ').next(), Some(refused.to_string().as_str()));
}

#[tokio::test]
async fn a_crash_is_answered_shown_and_mended() {
    let system = Served::start("lab").await;
    let slow = "{\"components\": {\"mm1\": {\"operations\": {\"run\": {\"service_ms\": 60000}}}}}";
    system
        .send("PATCH", "/__admin/profile", Some(slow), &[])
        .await;
    let host = system.get("/__admin/limits").await;
    assert!(host.body.get("mm1").is_some(), "{}", host.body);
    let stuck = async {
        let answer = system.get("/mm1").await;
        assert_eq!(error(&answer), (502, "crashed"), "{}", answer.body);
    };
    let crash = async {
        system
            .until("/__admin", |state| state["in_flight"] == 1)
            .await;
        let crashed = system.post("/__admin/crash", &json!({"host": "mm1"})).await;
        assert_eq!(crashed.status, 200, "{}", crashed.body);
        assert_eq!(system.get("/health").await.status, 503);
    };
    tokio::join!(stuck, crash);
    let unknown = system
        .post("/__admin/crash", &json!({"host": "none"}))
        .await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_client_that_goes_away_frees_its_place() {
    let system = Served::start("lab").await;
    let slow = "{\"components\": {\"mm1\": {\"operations\": {\"run\": {\"service_ms\": 60000}}}}}";
    system
        .send("PATCH", "/__admin/profile", Some(slow), &[])
        .await;
    let gone = tokio::time::timeout(Duration::from_millis(200), system.get("/mm1")).await;
    assert!(gone.is_err());
    system
        .until("/__admin", |state| state["in_flight"] == 0)
        .await;
    let left = system.get("/__admin/journal?cancelled=true").await;
    assert_eq!(
        left.body["entries"].as_array().map(Vec::len),
        Some(1),
        "{}",
        left.body
    );
}

/// C-21 in short: what was served is recomputed from its log.
#[tokio::test]
async fn a_served_run_is_recomputed_from_its_log() {
    let system = Served::start("agent360").await;
    let body = json!({"query": "x", "tools": ["rest_tool"]});
    let first = (0..40).map(|_| system.post("/agent/execute", &body));
    futures_util::future::join_all(first).await;
    let half = "{\"agent360\": {\"cpu_cores\": 1}}";
    assert_eq!(
        system
            .send("PATCH", "/__admin/limits", Some(half), &[])
            .await
            .status,
        200
    );
    let second = (0..40).map(|_| system.post("/agent/execute", &body));
    futures_util::future::join_all(second).await;
    let again = "{\"agent360\": {\"cpu_cores\": 4, \"instances\": 2}}";
    let patched = system
        .send("PATCH", "/__admin/limits", Some(again), &[])
        .await;
    assert_eq!(patched.status, 200, "{}", patched.body);
    let third = (0..40).map(|_| system.post("/agent/execute", &body));
    futures_util::future::join_all(third).await;
    let log: target_systems::serve::log::Recorded =
        serde_json::from_value(system.get("/__admin/log").await.body).expect("a log");
    assert_eq!((log.lost, log.inputs.len(), log.ends.len()), (0, 122, 120));
    let differences = target_systems::serve::log::recompute(log).expect("a sound log");
    assert_eq!(differences, []);
}

#[tokio::test]
async fn truth_resources_plan_and_schema_are_there_to_read() {
    let system = Served::start("acis").await;
    let truth = system
        .get("/__admin/truth?mix=api_user&users=100&think_ms=600")
        .await;
    assert_eq!(truth.status, 200, "{}", truth.body);
    assert_eq!(system.get("/__admin/truth?mix=nobody").await.status, 404);
    let resources = system.get("/__admin/resources").await.body;
    assert_eq!(resources["simulated"], true);
    assert_eq!(
        resources["hosts"]["api"]["instances"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let plan = system.get("/__admin/plan?endpoint=predict&n=3").await.body;
    assert_eq!(plan["requests"].as_array().map(Vec::len), Some(3), "{plan}");
    assert!(
        plan["requests"][0]["planned_us"]
            .as_u64()
            .is_some_and(|us| us > 0),
        "{plan}"
    );
    assert_eq!(
        system.get("/__admin/plan?endpoint=nothing").await.status,
        404
    );
    assert!(
        system
            .get("/__admin/schema")
            .await
            .body
            .get("properties")
            .is_some()
    );
    let docs = system.get("/").await.text;
    assert!(docs.contains("/api/ml/predict"), "{docs}");
    let populated = system
        .post(
            "/__admin/populate",
            &json!({"store": "clients", "rows": 5000}),
        )
        .await;
    assert_eq!(populated.status, 200, "{}", populated.body);
    let state = system.get("/__admin").await.body;
    assert_eq!(state["stores"]["clients"]["rows"], 6000, "{state}");
    // What the truth says of a list without an index follows the rows: 20 us of CPU each, for half of the requests.
    let off = Some("{\"indexes\": false}");
    let toggled = system.send("PATCH", "/__admin/toggles", off, &[]).await;
    assert_eq!(toggled.status, 200, "{}", toggled.body);
    let truth = system.get("/__admin/truth?mix=api_user").await.body;
    let resources = truth["resources"].as_array().expect("resources");
    let cpu = |of: &&Value| of["of"] == "postgres" && of["resource"] == "cpu";
    let demand = &resources.iter().find(cpu).expect("its CPU")["demand_ms"]["value"];
    let demand_ms = demand.as_f64().expect("a figure");
    assert!(
        (demand_ms - (0.5 * (2.0 + 0.02 * 6000.0) + 0.1)).abs() < 0.1,
        "{demand_ms}"
    );
    let rows = "{\"store\": \"clients\", \"rows\": 5000}";
    let withdrawn = system
        .send("DELETE", "/__admin/populate", Some(rows), &[])
        .await;
    assert_eq!(withdrawn.status, 200, "{}", withdrawn.body);
    let state = system.get("/__admin").await.body;
    assert_eq!(state["stores"]["clients"]["rows"], 1000, "{state}");
}

#[tokio::test]
async fn every_operation_of_the_admin_api_is_described_and_exists() {
    let system = Served::start("lab").await;
    let api = system.get("/__admin/openapi.json").await.body;
    assert_eq!(api["openapi"], "3.1.0");
    let paths = api["paths"].as_object().expect("paths");
    assert!(paths.contains_key("/__admin/truth") && paths.contains_key("/__admin/overlays/{name}"));
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().expect("operations") {
            let place = path.replace("{name}", "none");
            let answer = system
                .send(&method.to_uppercase(), &place, Some("{}"), &[])
                .await;
            let status = answer.status.to_string();
            // A request without a specific purpose gets a response or the documented rejection; `not found`
            // and `method not allowed` of the router have no JSON.
            assert!(answer.status != 405, "{method} {path}");
            let described = operation["responses"].get(&status).is_some();
            assert!(
                described || answer.status == 422 || answer.status == 400,
                "{method} {path}: {status}"
            );
        }
    }
    assert!(
        system
            .get("/__admin/docs")
            .await
            .text
            .contains("swagger-ui")
    );
    assert!(system.get("/docs").await.text.contains("/openapi.json"));
}

#[tokio::test]
async fn a_background_job_completes() {
    let system = Served::start("acis").await;
    let fast = "{\"ageing\": 1, \"components\": {\"jobs\": {\"operations\": {\"rebalance\": {\"cpu_ms\": 1, \"service_ms\": 1}}}}}";
    assert_eq!(
        system
            .send("PATCH", "/__admin/profile", Some(fast), &[])
            .await
            .status,
        200
    );
    let accepted = system
        .post("/api/portfolio/rebalance", &json!({"client_id": 1}))
        .await;
    assert_eq!(
        (accepted.status, &accepted.body["status"]),
        (202, &json!("queued")),
        "{}",
        accepted.body
    );
    let path = format!(
        "/api/jobs/{}",
        accepted.body["job_id"].as_str().expect("an id")
    );
    system
        .until(&path, |job| job["status"] == "completed")
        .await;
    assert_eq!(system.get("/api/jobs/none").await.status, 404);
}
