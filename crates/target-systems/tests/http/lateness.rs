//! C-23: a late response states its lateness. The lateness of responses on an idle machine is measured by
//! `cargo xtask bench target`; this test checks only that a starved process reports it.

use std::time::Duration;

use serde_json::json;

use crate::served::{Response, Served};

/// A field of `X-Sparring-Decision`, such as `planned_us`.
fn told(answer: &Response, field: &str) -> u64 {
    let decision = answer.header("x-sparring-decision");
    let found = decision
        .split(';')
        .find_map(|part| part.strip_prefix(field)?.strip_prefix('='));
    let text = found.unwrap_or_else(|| panic!("no {field} in {decision}"));
    text.parse().expect("a number")
}

async fn with_service(ms: u64) -> Served {
    let system = Served::start("lab").await;
    let patch = json!({ "components": { "md1": { "slots": 1000, "operations": { "run": { "service_ms": ms } } } } });
    let patched = system
        .send("PATCH", "/__admin/profile", Some(&patch.to_string()), &[])
        .await;
    assert_eq!(patched.status, 200, "{}", patched.body);
    system
}

async fn series(system: &Served, name: &str) -> f64 {
    let text = system.get("/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    value.trim().parse().expect("a number")
}

#[tokio::test]
async fn every_answer_says_how_late_it_is_and_the_error_is_counted() {
    let system = with_service(1).await;
    let many = (0..400).map(|_| system.get("/md1"));
    let answers = futures_util::future::join_all(many).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(told(answer, "planned_us"), 1_000);
        let due = told(answer, "planned_us") + told(answer, "queued_us");
        // Two roundings to whole microseconds.
        assert!(
            told(answer, "actual_us") + 2 >= due,
            "{}",
            answer.header("x-sparring-decision")
        );
    }
    let counted = series(&system, "sparring_target_delivery_error_seconds_count").await;
    assert_eq!(counted as usize, answers.len());
}

#[tokio::test]
async fn a_starved_process_reports_its_lateness() {
    let system = with_service(300).await;
    let starved = Duration::from_millis(1_500);
    let asking = async {
        let many = (0..80).map(|_| system.get("/md1"));
        futures_util::future::join_all(many).await
    };
    let starving = async {
        system
            .until("/__admin", |state| state["in_flight"] == 80)
            .await;
        // Server and client share this one thread.
        std::thread::sleep(starved);
    };
    let (answers, ()) = tokio::join!(asking, starving);
    for answer in &answers {
        let due = told(answer, "planned_us") + told(answer, "queued_us");
        let late = told(answer, "actual_us").saturating_sub(due);
        assert!(late > 300_000, "late by {late} µs only");
    }
    // A second of responses is judged after its end, with the next response.
    let admitted = async {
        loop {
            let after = system.get("/mm1").await;
            if after.header("x-sparring-decision").ends_with(";degraded=1") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), admitted)
        .await
        .expect("it admits it");
    assert_eq!(series(&system, "sparring_target_degraded").await, 1.0);
    assert_eq!(system.get("/__admin").await.body["degraded"], true);
}
