use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Client, start};

#[tokio::test]
async fn concurrency_1_and_64_meet_the_same_faults_and_delays() {
    let profile = json!({"seed": 11, "success_rate": 0.6,
        "latency": {"uniform": {"min_ms": 0, "max_ms": 3}},
        "failures": [{"weight": 2, "kind": {"status": {"code": 500}}}, {"kind": {"malformed_json": {}}}]});
    let mut lists = Vec::new();
    for concurrency in [1, 64] {
        let fleet = start(profile.clone()).await;
        let mut tasks = Vec::new();
        for worker in 0..concurrency {
            let mut client = Client::to(&fleet).await;
            tasks.push(tokio::spawn(async move {
                let mut decided = Vec::new();
                for n in (worker..640).step_by(concurrency) {
                    let answer = client.detect(&format!("key-{n}")).await;
                    let decision = answer.decision();
                    decided.push((
                        n,
                        (decision["fault"].clone(), decision["planned_us"].clone()),
                    ));
                }
                decided
            }));
        }
        let mut list = BTreeMap::new();
        for task in tasks {
            list.extend(task.await.expect("no panic"));
        }
        lists.push(list);
        fleet.stop().await;
    }
    assert_eq!(lists[0].len(), 640);
    assert_eq!(lists[0], lists[1]);
}

#[tokio::test]
async fn latency_rises_with_the_callers_own_load() {
    let fleet = start(json!({"queue": {"workers": 2, "service": {"constant": {"ms": 200}}}})).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(Client::to(&fleet).await);
    }
    let mut tasks = Vec::new();
    for (n, mut client) in clients.into_iter().enumerate() {
        tasks.push(tokio::spawn(
            async move { client.detect(&n.to_string()).await },
        ));
    }
    let mut waits = Vec::new();
    for task in tasks {
        waits.push(task.await.expect("no panic").decided("queued_us"));
    }
    waits.sort_unstable();
    // Two at a time: pairs wait for 0, 1, 2 and 3 services, less the time between arrivals.
    for (place, wait_us) in waits.iter().enumerate() {
        let most_us = (place / 2) as u64 * 200_000;
        assert!(*wait_us <= most_us, "{waits:?}");
        assert!(place < 2 || *wait_us > 0, "{waits:?}");
    }
    fleet.stop().await;
}

#[tokio::test]
async fn a_full_queue_rejects_or_is_slow_as_configured() {
    for (overflow, status) in [
        (json!({"reject": {"status": 503}}), 503),
        (json!({"slow": {"after_ms": 50}}), 200),
    ] {
        let fleet = start(json!({"queue": {"workers": 1, "capacity": 0,
            "service": {"constant": {"ms": 400}}, "overflow": overflow}}))
        .await;
        let mut first = Client::to(&fleet).await;
        let busy = tokio::spawn(async move { first.detect("first").await });
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
        let second = admin.detect("second").await;
        assert_eq!(second.status.as_u16(), status);
        assert_eq!(second.decision()["fault"], "overflow");
        assert_eq!(busy.await.expect("no panic").status, 200);
        fleet.stop().await;
    }
}

#[tokio::test]
async fn beyond_the_rate_limit_is_429_with_retry_after() {
    let fleet = start(json!({"rate_limit": {"rate_per_s": 0.5, "burst": 3}})).await;
    let mut client = Client::to(&fleet).await;
    let mut statuses = Vec::new();
    for n in 0..5 {
        let answer = client.detect(&n.to_string()).await;
        statuses.push(answer.status.as_u16());
        if answer.status == 429 {
            assert_eq!(answer.headers["retry-after"], "2");
            assert_eq!(answer.decision()["fault"], "rate_limited");
        }
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    fleet.stop().await;
}

#[tokio::test]
async fn callers_that_disconnect_are_in_the_journal() {
    let fleet = start(json!({"latency": {"constant": {"ms": 60_000}}})).await;
    for n in 0..5 {
        let mut client = Client::to(&fleet).await;
        let key = n.to_string();
        let answer = tokio::time::timeout(Duration::from_millis(20), client.detect(&key)).await;
        assert!(answer.is_err());
    }
    let mut admin = Client::to(&fleet).await;
    let begun = Instant::now();
    loop {
        let seen = admin.get("/__admin/verify?cancelled=true&count=5").await;
        if seen.status == 200 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", seen.body);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    fleet.stop().await;
}
