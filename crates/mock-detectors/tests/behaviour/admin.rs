use std::net::TcpStream;
use std::time::Duration;

use fault_profile::Listener;
use fault_profile::listener::Admin;
use serde_json::{Value, json};

use crate::client::{Client, start, start_with};

#[tokio::test]
async fn a_patch_merges_and_a_put_replaces() {
    let fleet = start(json!({"seed": 5, "latency": {"uniform": {"min_ms": 1, "max_ms": 2}}})).await;
    let mut client = Client::to(&fleet).await;
    let patched = client
        .patch("", json!({"latency": {"uniform": {"max_ms": 9}}}))
        .await;
    assert_eq!(
        (patched.status.as_u16(), &patched.body["revision"]),
        (200, &json!(2))
    );
    let profile = client.get("/__admin/profile").await;
    assert_eq!(profile.headers["etag"], "\"2\"");
    assert_eq!(
        profile.body["latency"],
        json!({"uniform": {"min_ms": 1.0, "max_ms": 9.0}})
    );
    assert_eq!(profile.body["seed"], 5);
    let put = json!({"success_rate": 0.5}).to_string();
    client.send("PUT /__admin/profile", &[], put.into()).await;
    let profile = client.get("/__admin/profile").await.body;
    assert_eq!(
        (&profile["seed"], &profile["success_rate"]),
        (&json!(0), &json!(0.5))
    );
    fleet.stop().await;
}

#[tokio::test]
async fn an_error_in_a_change_is_reported_with_its_path_and_changes_nothing() {
    let fleet = start(json!({})).await;
    let mut client = Client::to(&fleet).await;
    let before = client.get("/__admin/profile").await;
    for (patch, path, hint) in [
        (json!({"succes_rate": 1}), "succes_rate", "success_rate"),
        (json!({"success_rate": 7}), "success_rate", "is not a share"),
        (
            json!({"latency": {"unifrom": {"min_ms": 1, "max_ms": 2}}}),
            "latency",
            "uniform",
        ),
        (
            json!({"latency": {"uniform": {"min_ms": 5, "max_ms": 2}}}),
            "latency.uniform.max_ms",
            "below",
        ),
        (
            json!({"queue": {"workers": 0, "service": {"constant": {"ms": 1}}}}),
            "queue.workers",
            "1",
        ),
    ] {
        let refused = client.patch("", patch.clone()).await;
        assert_eq!(refused.status, 422, "{patch}");
        let fault = &refused.body["errors"][0];
        assert!(
            fault["path"].as_str().expect("a path").starts_with(path),
            "{patch}: {fault}"
        );
        assert!(
            fault["message"].as_str().expect("text").contains(hint),
            "{patch}: {fault}"
        );
    }
    let malformed = client
        .send("PATCH /__admin/profile", &[], b"{".to_vec())
        .await;
    assert_eq!(malformed.status, 400);
    let after = client.get("/__admin/profile").await;
    assert_eq!(
        (before.body, &before.headers["etag"]),
        (after.body, &after.headers["etag"])
    );
    fleet.stop().await;
}

#[tokio::test]
async fn a_change_of_another_revision_is_refused() {
    let fleet = start(json!({})).await;
    let mut client = Client::to(&fleet).await;
    let body = || json!({"success_rate": 0.5}).to_string().into_bytes();
    let line = "PATCH /__admin/profile";
    assert_eq!(
        client
            .send(line, &[("if-match", "\"1\"")], body())
            .await
            .status,
        200
    );
    let refused = client.send(line, &[("if-match", "\"1\"")], body()).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["revision"]),
        (412, &json!(2))
    );
    assert_eq!(
        client.send(line, &[("if-match", "*")], body()).await.status,
        200
    );
    assert_eq!(
        client.send(line, &[("if-match", "x")], body()).await.status,
        400
    );
    fleet.stop().await;
}

#[tokio::test]
async fn a_ttl_reverts_a_change_and_a_permanent_change_stays() {
    let fleet = start(json!({"success_rate": 1})).await;
    let mut client = Client::to(&fleet).await;
    client
        .patch("?ttl_ms=120", json!({"success_rate": 0.5}))
        .await;
    client.patch("?ttl_ms=60", json!({"success_rate": 0})).await;
    assert_eq!(fleet.profile("mock").expect("started").success_rate, 0.0);
    for _ in 0..300 {
        if fleet.profile("mock").expect("started").success_rate == 1.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        fleet.profile("mock").expect("started").success_rate,
        1.0,
        "both are gone"
    );
    client.patch("?ttl_ms=50", json!({"success_rate": 0})).await;
    client.patch("", json!({"success_rate": 0.25})).await;
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(fleet.profile("mock").expect("started").success_rate, 0.25);
    fleet.stop().await;
}

#[tokio::test]
async fn delayed_requests_finish_or_are_released_or_decided_again() {
    for (policy, released, fault) in [
        ("finish", false, "none"),
        ("release", true, "none"),
        ("redraw", true, "status"),
    ] {
        let fleet = start(json!({"latency": {"constant": {"ms": 700}}})).await;
        let mut client = Client::to(&fleet).await;
        let pending = tokio::spawn(async move { client.detect("key").await });
        let mut admin = Client::to(&fleet).await;
        while !admin
            .get("/metrics")
            .await
            .body
            .to_string()
            .contains("in_flight{detector=\\\"mock\\\"} 1")
        {
            tokio::task::yield_now().await;
        }
        let patch = json!({"success_rate": 0, "latency": {"constant": {"ms": 0}}});
        admin.patch(&format!("?in_flight={policy}"), patch).await;
        let answer = pending.await.expect("no panic");
        assert_eq!(answer.decision()["fault"], fault, "{policy}");
        assert_eq!(answer.decided("actual_us") < 690_000, released, "{policy}");
        let revision = if policy == "redraw" { 2 } else { 1 };
        assert_eq!(
            answer.decided("rev"),
            revision,
            "{policy}: the decision's own revision"
        );
        fleet.stop().await;
    }
}

/// The same for requests in the queue of a worker that is busy for a minute, and for the one in service.
#[tokio::test]
async fn queued_requests_finish_or_are_released_or_decided_again() {
    for (policy, fault, revision) in [("release", "none", 1), ("redraw", "status", 3)] {
        let fleet =
            start(json!({"queue": {"workers": 1, "service": {"constant": {"ms": 60_000}}}})).await;
        let mut pending = Vec::new();
        for n in 0..3 {
            let mut client = Client::to(&fleet).await;
            pending.push(tokio::spawn(
                async move { client.detect(&n.to_string()).await },
            ));
        }
        let mut admin = Client::to(&fleet).await;
        while !admin
            .get("/metrics")
            .await
            .body
            .to_string()
            .contains("in_flight{detector=\\\"mock\\\"} 3")
        {
            tokio::task::yield_now().await;
        }
        // A change that lets them finish does not hide them from a later one.
        admin.patch("?in_flight=finish", json!({"seed": 9})).await;
        let patch = json!({"success_rate": 0, "queue": null});
        admin.patch(&format!("?in_flight={policy}"), patch).await;
        for answer in pending {
            let answer = answer.await.expect("no panic");
            assert_eq!(answer.decision()["fault"], fault, "{policy}");
            assert_eq!(answer.decided("rev"), revision, "{policy}");
            assert!(answer.decided("actual_us") < 60_000_000, "{policy}");
        }
        fleet.stop().await;
    }
}

#[tokio::test]
async fn invalid_requests_are_in_the_journal_too() {
    let fleet = start(json!({})).await;
    let mut client = Client::to(&fleet).await;
    let answer = client.send("POST /detect", &[], b"{".to_vec()).await;
    assert_eq!(answer.status, 400);
    // Whether the answer arrives depends on timing; the journal has it in any case.
    let send = async move { client.send("POST /detect", &[], vec![b' '; 9 << 20]).await };
    let sending = tokio::spawn(send);
    let mut admin = Client::to(&fleet).await;
    for status in [400, 413] {
        let path = format!("/__admin/verify?fault=bad_request&status={status}&count=1");
        while admin.get(&path).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    drop(sending.await);
    fleet.stop().await;
}

#[tokio::test]
async fn the_journal_keeps_the_last_requests_and_counts_the_others() {
    let listener = Listener {
        journal_entries: 5,
        ..Listener::default()
    };
    let profile = json!({"pattern": {"every_nth_fails": 4}});
    let fleet = start_with(profile, listener).await;
    let mut client = Client::to(&fleet).await;
    for n in 1..=8 {
        client.detect(&format!("key-{n}")).await;
    }
    let journal = client.get("/__admin/journal").await.body;
    assert_eq!(
        (&journal["recorded"], &journal["evicted"]),
        (&json!(8), &json!(3))
    );
    let keys: Vec<&str> = journal["entries"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["key"].as_str().expect("text"))
        .collect();
    assert_eq!(keys, ["key-4", "key-5", "key-6", "key-7", "key-8"]);
    let failed = client
        .get("/__admin/journal?fault=status&limit=1")
        .await
        .body;
    assert_eq!(failed["entries"][0]["key"], "key-8");
    let metrics = client.get("/metrics").await.body.to_string();
    for expected in [
        r#"sparring_mock_requests_total{fault=\"status\",detector=\"mock\"} 2"#,
        r#"sparring_mock_requests_total{fault=\"none\",detector=\"mock\"} 6"#,
        r#"sparring_mock_journal_evicted{detector=\"mock\"} 3"#,
        r#"sparring_mock_revision{detector=\"mock\"} 1"#,
    ] {
        assert!(metrics.contains(expected), "{expected} in {metrics}");
    }
    let cleared = client
        .send("DELETE /__admin/journal", &[], Vec::new())
        .await
        .body;
    assert_eq!(cleared["cleared"], 5);
    fleet.stop().await;
}

#[tokio::test]
async fn verification_reports_the_differences() {
    let fleet = start(json!({"pattern": {"first_succeed": 2, "then_fail": 1}})).await;
    let mut client = Client::to(&fleet).await;
    for n in 0..4 {
        client.detect(&n.to_string()).await;
    }
    for (query, status) in [
        ("?count=4", 200),
        ("?count=3", 417),
        ("?fault=status&count=1", 200),
        ("?min=5", 417),
        ("?max=4&min=4", 200),
        ("?sequence=none,none,status,none", 200),
        ("?sequence=status,status", 417),
        ("?key=2&fault=status&count=1", 200),
        ("?nonsense=1", 422),
    ] {
        let verified = client.get(&format!("/__admin/verify{query}")).await;
        assert_eq!(verified.status, status, "{query}: {}", verified.body);
    }
    fleet.stop().await;
}

#[tokio::test]
async fn reset_brings_back_the_first_profile_and_the_first_decisions() {
    let fleet = start(json!({"seed": 3, "success_rate": 0.5})).await;
    let mut client = Client::to(&fleet).await;
    let body = || json!({"content": "x"}).to_string().into_bytes();
    let mut faults: Vec<Vec<String>> = Vec::new();
    for _ in 0..2 {
        let mut round = Vec::new();
        for _ in 0..20 {
            let answer = client.send("POST /detect", &[], body()).await;
            round.push(answer.decision()["fault"].clone());
        }
        faults.push(round);
        client.patch("", json!({"success_rate": 0})).await;
        client.send("POST /__admin/reset", &[], Vec::new()).await;
    }
    assert_eq!(faults[0], faults[1]);
    assert!(faults[0].contains(&"status".to_owned()) && faults[0].contains(&"none".to_owned()));
    assert_eq!(
        client.get("/__admin/journal").await.body["entries"],
        json!([])
    );
    fleet.stop().await;
}

#[tokio::test]
async fn the_plan_predicts_requests_without_a_key() {
    let fleet = start(json!({"seed": 9, "success_rate": 0.5,
        "latency": {"uniform": {"min_ms": 0, "max_ms": 2}}}))
    .await;
    let mut client = Client::to(&fleet).await;
    let plan = client.get("/__admin/plan?n=30").await.body;
    assert_eq!(plan["hash"].as_str().map(str::len), Some(32));
    for planned in plan["requests"].as_array().expect("a list") {
        let body = json!({"content": "x"}).to_string().into_bytes();
        let answer = client.send("POST /detect", &[], body).await;
        assert_eq!(
            answer.decision()["fault"],
            planned["fault"].as_str().expect("text")
        );
        let planned_us = planned["latency_us"].as_u64().expect("a number");
        assert!(
            answer.decided("planned_us").abs_diff(planned_us) <= 1,
            "{planned}"
        );
    }
    fleet.stop().await;
}

#[tokio::test]
async fn a_recording_is_a_profile_that_reproduces_the_journal() {
    let fleet = start(json!({"success_rate": 0.7, "failures": [
        {"kind": {"status": {"code": 503, "retry_after_s": 2}}}, {"kind": {"malformed_json": {}}}]}))
    .await;
    let mut client = Client::to(&fleet).await;
    for n in 0..200 {
        client.detect(&n.to_string()).await;
    }
    let recorded = client
        .send("POST /__admin/record", &[], Vec::new())
        .await
        .body;
    let profile = &recorded["profile"];
    let rate = profile["success_rate"].as_f64().expect("a number");
    assert!((rate - 0.7).abs() < 0.12, "{rate}");
    let kinds: Vec<&Value> = profile["failures"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| &entry["kind"])
        .collect();
    assert!(
        kinds.contains(&&json!({"status": {"code": 503, "retry_after_s": 2}})),
        "{kinds:?}"
    );
    let put = client
        .send("PUT /__admin/profile", &[], profile.to_string().into())
        .await;
    assert_eq!(put.status, 200, "{}", put.body);
    fleet.stop().await;
}

#[tokio::test]
async fn the_schema_allows_no_unknown_field() {
    let fleet = start(json!({})).await;
    let mut client = Client::to(&fleet).await;
    let schema = client.get("/__admin/schema").await.body;
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"]["success_rate"]["description"].is_string());
    fleet.stop().await;
}

#[tokio::test]
async fn the_admin_api_can_have_its_own_port_or_be_off() {
    let own = start_with(
        json!({}),
        Listener {
            admin: Admin::Port(0),
            ..Listener::default()
        },
    )
    .await;
    let mut client = Client::to(&own).await;
    assert_eq!(client.get("/__admin/profile").await.status, 404);
    let mut admin = Client::connect(own.admin_address("mock").expect("started")).await;
    assert_eq!(admin.get("/__admin/profile").await.status, 200);
    assert_eq!(admin.get("/health").await.status, 404);
    own.stop().await;
    let off = start_with(
        json!({}),
        Listener {
            admin: Admin::Off,
            ..Listener::default()
        },
    )
    .await;
    assert_eq!(
        Client::to(&off).await.get("/__admin/profile").await.status,
        404
    );
    let address = off.address("mock").expect("started");
    off.stop().await;
    assert!(
        TcpStream::connect(address).is_err(),
        "a stopped fleet has given its port back"
    );
}

#[tokio::test]
async fn override_headers_are_obeyed_only_where_enabled() {
    for enabled in [false, true] {
        let listener = Listener {
            override_headers: enabled,
            ..Listener::default()
        };
        let fleet = start_with(json!({}), listener).await;
        let mut client = Client::to(&fleet).await;
        let headers = [
            ("x-sparring-fault", r#"{"status": {"code": 418}}"#),
            ("x-sparring-latency-ms", "30"),
        ];
        let body = json!({"content": "x"}).to_string().into_bytes();
        let answer = client.send("POST /detect", &headers, body).await;
        assert_eq!(answer.status.as_u16(), if enabled { 418 } else { 200 });
        assert_eq!(
            answer.decided("planned_us"),
            if enabled { 30_000 } else { 0 }
        );
        fleet.stop().await;
    }
}

#[tokio::test]
async fn every_operation_of_the_admin_api_is_described_and_exists() {
    let fleet = start(json!({})).await;
    let mut client = Client::to(&fleet).await;
    let api = client.get("/__admin/openapi.json").await.body;
    let paths = api["paths"].as_object().expect("paths").clone();
    assert!(paths.contains_key("/__admin/plan") && paths.contains_key("/__admin/overlays/{name}"));
    for (path, operations) in &paths {
        for (method, operation) in operations.as_object().expect("operations") {
            let place = path.replace("{name}", "none");
            let line = format!("{} {place}", method.to_uppercase());
            let answer = client.send(&line, &[], "{}".into()).await;
            let status = answer.status.as_u16().to_string();
            let described = operation["responses"].get(&status).is_some();
            assert!(described, "{line}: {status}");
        }
    }
    fleet.stop().await;
}

#[tokio::test]
async fn a_mock_says_what_it_is_and_describes_its_calls() {
    let fleet = start(json!({})).await;
    let mut client = Client::to(&fleet).await;
    let api = client.get("/openapi.json").await.body;
    assert_eq!(api["openapi"], "3.1.0");
    assert!(api["paths"]["/detect"]["post"].is_object(), "{api}");
    for path in ["/", "/docs", "/__admin/docs"] {
        let page = client.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    }
    fleet.stop().await;
}
