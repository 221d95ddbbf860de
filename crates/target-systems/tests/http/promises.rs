//! Guarantees about draws, accounts and tokens: C-19 to C-22 and C-26.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};
use target_systems::serve::Config;
use target_systems::serve::log::{self, Recorded};
use target_systems::{System, systems};

use crate::served::{Response, Served};

const REQUESTS: usize = 2_000;
/// Number of requests of the run with changes.
const CHANGED: usize = 3_000;
/// The arrival rate in the design's minute of load, which `SPARRING_FULL_LENGTH=1` runs instead.
const CHANGED_PER_S: usize = 800;
const FULL_LENGTH_S: usize = 60;

async fn lab(seed: u64) -> Served {
    let patch = json!({
        "seed": seed,
        "components": { "mm1": {
            "slots": 1000,
            "operations": { "run": { "service_ms": { "exponential": { "mean_ms": 0.2 } } } },
            "faults": { "success_rate": 0.8, "failures": [{ "weight": 1, "kind": { "status": { "code": 503 } } }] },
        } },
    });
    let text = systems::text("lab").expect("an embedded system");
    let system = System::read(text).expect("shipped").patched(&patch);
    Served::serve(Config::new(system.expect("a sound patch"))).await
}

/// By id: the planned demands, and the fault that was drawn.
async fn drawn(seed: u64, at_once: usize) -> BTreeMap<String, String> {
    let system = lab(seed).await;
    let asking = (0..REQUESTS).map(|number| {
        let system = &system;
        async move {
            let id = format!("r-{number}");
            let named = [("x-request-id", id.as_str())];
            let answer = system.send("GET", "/mm1", None, &named).await;
            let decision = answer.header("x-sparring-decision").to_owned();
            let kept = decision
                .split(';')
                .filter(|part| part.starts_with("fault=") || part.starts_with("planned_us="));
            (id, kept.collect::<Vec<_>>().join(";"))
        }
    });
    futures_util::stream::iter(asking)
        .buffer_unordered(at_once)
        .collect()
        .await
}

#[tokio::test]
async fn c_20_equal_ids_draw_equally_whatever_the_concurrency() {
    let alone = drawn(7, 1).await;
    assert_eq!(alone.len(), REQUESTS);
    let faults = alone.values().filter(|one| !one.contains("fault=none"));
    assert!((300..500).contains(&faults.count()), "a fifth fails");
    assert_eq!(alone, drawn(7, 64).await);
    assert_ne!(alone, drawn(8, 64).await);
}

/// The revision under which a response was drawn.
fn revision(answer: &Response) -> u64 {
    let decision = answer.header("x-sparring-decision");
    let found = decision
        .split(';')
        .find_map(|part| part.strip_prefix("rev="));
    found
        .and_then(|text| text.parse().ok())
        .expect("a revision")
}

/// The truth's utilisation of the cores of `cpu1` at 80 requests/s.
async fn utilisation(system: &Served) -> f64 {
    let truth = system.get("/__admin/truth?mix=cpu1&rate_per_s=80").await;
    assert_eq!(truth.status, 200, "{}", truth.body);
    let hosts = truth.body["resources"].as_array().expect("resources");
    let cores = hosts
        .iter()
        .find(|one| one["of"] == "cpu1" && one["resource"] == "cpu");
    cores.expect("its cores")["utilisation"]["value"]
        .as_f64()
        .expect("a number")
}

#[tokio::test]
async fn c_19_a_limit_holds_from_the_time_it_is_acknowledged() {
    let system = Served::start("lab").await;
    let before = utilisation(&system).await;
    let ask = async |count: usize| -> Vec<u64> {
        let asking = (0..count).map(|_| async { revision(&system.get("/cpu1").await) });
        futures_util::stream::iter(asking)
            .buffer_unordered(8)
            .collect()
            .await
    };
    let old = ask(40).await;
    let limits = "{\"cpu1\": {\"cpu_cores\": 2}}";
    // Some are in flight while the limit changes.
    let (mut across, patched) = tokio::join!(
        ask(40),
        system.send("PATCH", "/__admin/limits", Some(limits), &[])
    );
    assert_eq!(patched.status, 200, "{}", patched.body);
    let new = ask(40).await;
    let (first, second) = (old[0], new[0]);
    assert!(first < second);
    assert!(old.iter().all(|one| *one == first), "{old:?}");
    assert!(new.iter().all(|one| *one == second), "{new:?}");
    across.retain(|one| ![first, second].contains(one));
    assert!(across.is_empty(), "neither side: {across:?}");
    let after = utilisation(&system).await;
    assert!(
        (before - 0.8).abs() < 1e-9 && (after - 0.4).abs() < 1e-9,
        "{before} {after}"
    );
    // The network had the cores that it reports: its log contains the time of the change, and reproduces
    // the run.
    let log: Recorded =
        serde_json::from_value(system.get("/__admin/log").await.body).expect("a log");
    assert_eq!((log.lost, log.ends.len()), (0, 120));
    assert_eq!(log::recompute(log).expect("a sound log"), []);
}

/// The number of requests of the run with changes, and the interval between two of them.
fn changed() -> (usize, Duration) {
    if std::env::var_os("SPARRING_FULL_LENGTH").is_none() {
        return (CHANGED, Duration::ZERO);
    }
    let gap = Duration::from_secs(1) / CHANGED_PER_S as u32;
    (CHANGED_PER_S * FULL_LENGTH_S, gap)
}

#[tokio::test]
async fn c_21_thousands_of_requests_across_two_changes_are_recomputed() {
    let limits = |cores: u32| json!({ "hosts": { "agent360": { "cpu_cores": cores } } });
    let text = systems::text("agent360").expect("an embedded system");
    let system = System::read(text).expect("shipped").patched(&limits(8));
    let system = Served::serve(Config::new(system.expect("a sound patch"))).await;
    let body = json!({ "query": "x", "tools": ["rest_tool"] });
    let (count, gap) = changed();
    let begun = Instant::now();
    let asking = (0..count).map(|number| {
        let (system, body) = (&system, &body);
        async move {
            tokio::time::sleep_until((begun + gap * number as u32).into()).await;
            system.post("/agent/execute", body).await.status
        }
    });
    let at_once = if gap.is_zero() { 64 } else { 4_000 };
    let load = futures_util::stream::iter(asking)
        .buffer_unordered(at_once)
        .collect::<Vec<u16>>();
    let changing = async {
        for (answered, limits) in [(count / 3, limits(4)), (count * 2 / 3, limits(16))] {
            let enough = |state: &Value| state["recorded"].as_u64() >= Some(answered as u64);
            system.until("/__admin", enough).await;
            let limits = limits.to_string();
            let patched = system.send("PATCH", "/__admin/profile", Some(&limits), &[]);
            assert_eq!(patched.await.status, 200);
        }
    };
    let (statuses, ()) = tokio::join!(load, changing);
    assert_eq!(statuses.len(), count);
    println!("{count} requests in {:?}", begun.elapsed());
    let log: Recorded =
        serde_json::from_value(system.get("/__admin/log").await.body).expect("a log");
    assert_eq!(
        (log.lost, log.inputs.len(), log.ends.len()),
        (0, count + 2, count)
    );
    assert_eq!(log::recompute(log).expect("a sound log"), []);
}

#[tokio::test]
async fn c_22_cpu_of_visits_in_the_journal_is_the_cpu_in_the_metrics() {
    let system = Served::start("lab").await;
    let many = (0..100).map(|_| system.get("/cpu4"));
    futures_util::future::join_all(many).await;
    let journal = system.get("/__admin/journal?endpoint=cpu4").await.body;
    let entries = journal["entries"].as_array().expect("entries");
    let visits = entries
        .iter()
        .filter_map(|entry| entry["visits"].as_array())
        .flatten()
        .filter(|visit| visit["component"] == "cpu4");
    let times: Vec<u64> = visits
        .filter_map(|visit| visit["cpu_us"].as_u64())
        .collect();
    assert_eq!(times.len(), 100);
    let text = system.get("/metrics").await.text;
    let series = "sparring_target_cpu_busy_seconds_total{";
    let busy_s: f64 = text
        .lines()
        .filter(|line| line.starts_with(series) && line.contains("host=\"cpu4\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    let visits_s = times.iter().sum::<u64>() as f64 / 1e6;
    // A microsecond a visit: the journal's rounding.
    assert!(
        (busy_s - visits_s).abs() <= 1e-6 * 100.0,
        "{busy_s} {visits_s}"
    );
}

#[tokio::test]
async fn c_26_a_token_expires_and_ages_with_the_system() {
    let system = Served::start("aiaas").await;
    let user = json!({ "username": "test_user", "password": "test_password" });
    let token = system.post("/api/v1/auth/login", &user).await;
    let bearer = format!("Bearer {}", token.body["token"].as_str().expect("a token"));
    let known = [("authorization", bearer.as_str())];
    let ask = || system.send("GET", "/api/v1/agents", None, &known);
    assert_eq!(ask().await.status, 200);
    // An hour passes in about a third of a second for tokens issued from now on.
    let aged = system
        .send(
            "PATCH",
            "/__admin/profile",
            Some("{\"ageing\": 10000}"),
            &[],
        )
        .await;
    assert_eq!(aged.status, 200, "{}", aged.body);
    let token = system.post("/api/v1/auth/login", &user).await;
    let bearer = format!("Bearer {}", token.body["token"].as_str().expect("a token"));
    let known = [("authorization", bearer.as_str())];
    let expired = async {
        loop {
            let answer = system.send("GET", "/api/v1/agents", None, &known).await;
            if answer.status == 401 {
                return answer.body;
            }
            assert_eq!(answer.status, 200, "{}", answer.text);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let body: Value = tokio::time::timeout(std::time::Duration::from_secs(30), expired)
        .await
        .expect("it expires");
    assert_eq!(body["error_type"], "unauthorized");
}
