use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::client::{Client, start};

/// 100 changes per second for two seconds under load. Each revision has its own status and its
/// own delay, so an answer that mixes two of them is seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_consistent_with_its_revision() {
    let fleet = Arc::new(start(json!({"seed": 1})).await);
    let rules: Arc<Mutex<HashMap<u64, (u16, u64)>>> = Arc::default();
    rules.lock().expect("no panic").insert(1, (200, 0));
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for worker in 0..8 {
        let mut client = Client::to(&fleet).await;
        let stop = stop.clone();
        tasks.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let answer = client.detect(&format!("{worker}-{n}")).await;
                let rule = (answer.status.as_u16(), answer.decided("planned_us"));
                seen.push((answer.decided("rev"), rule));
            }
            seen
        }));
    }
    let mut interval = tokio::time::interval(Duration::from_millis(10));
    for change in 0..200u64 {
        interval.tick().await;
        let (status, delay_us) = (if change % 2 == 0 { 503 } else { 200 }, change * 10);
        let patch = json!({
            "success_rate": if status == 200 { 1 } else { 0 },
            "failures": [{ "kind": { "status": { "code": 503 } } }],
            "latency": { "constant": { "ms": delay_us as f64 / 1e3 } },
        });
        let mut rules = rules.lock().expect("no panic");
        let revision = fleet.patch("mock", &patch).expect("valid");
        rules.insert(revision, (status, delay_us));
    }
    stop.store(true, Ordering::Relaxed);
    let rules: HashMap<u64, (u16, u64)> = rules.lock().expect("no panic").clone();
    let mut revisions = std::collections::HashSet::new();
    for task in tasks {
        for (revision, rule) in task.await.expect("no panic") {
            revisions.insert(revision);
            assert_eq!(rules[&revision], rule, "revision {revision}");
        }
    }
    assert!(
        revisions.len() > 20,
        "only {} revisions were seen",
        revisions.len()
    );
}
