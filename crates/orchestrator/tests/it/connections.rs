//! Connections to detectors: dead ones cost nothing, old ones are replaced.

use std::time::Duration;

use serde_json::json;

use crate::detector::{Act, Detector};
use crate::service::{config, settings, start};

const STALE: &str = "detector_stale_connections_total{detector=\"a\"}";

#[tokio::test]
async fn a_request_on_a_dead_connection_is_sent_again_and_is_not_a_failure() {
    let a = Detector::start(Act::CleanOnce).await;
    let mut one = settings("a", &a);
    one.breaker.consecutive_failures = 1;
    let mut config = config(vec![one]);
    config.threads = 1;
    let service = start(config).await;
    for n in 0..6 {
        let answer = service
            .orchestrate(json!({"content": format!("{n}")}))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.result("a")["attempts"], 1, "it was no retry");
    }
    assert_eq!(a.count(), 6, "what was on a dead connection was not read");
    let metrics = service.get("/metrics").await.text;
    let stale = metrics.lines().find_map(|line| line.strip_prefix(STALE));
    let stale: u32 = stale.expect("a series").trim().parse().expect("a number");
    assert!(stale >= 1, "no connection was reused");
    let failed = "detector_failures_total{detector=\"a\"";
    assert!(!metrics.contains(failed), "{metrics}");
    assert!(metrics.contains("circuit_breaker_state{detector=\"a\",state=\"closed\"} 1"));
}

#[tokio::test]
async fn a_detector_that_fails_on_new_connections_has_failed() {
    let a = Detector::start(Act::CleanOnce).await;
    let mut config = config(vec![settings("a", &a)]);
    config.threads = 1;
    let service = start(config).await;
    assert_eq!(service.orchestrate(json!({})).await.status, 200);
    a.act(Act::Reset);
    let answer = service.orchestrate(json!({"content": "next"})).await;
    assert_eq!(answer.status, 502, "{}", answer.text);
    assert!(a.count() <= 3, "once more for nothing, and no more");
}

#[tokio::test]
async fn a_connection_that_is_too_old_is_replaced() {
    let a = Detector::start(Act::Clean).await;
    let mut config = config(vec![settings("a", &a)]);
    config.threads = 1;
    config.connections.max_age = Duration::from_millis(30);
    let service = start(config).await;
    let mut asked = 0;
    while a.connections() < 3 {
        asked += 1;
        let answer = service
            .orchestrate(json!({"content": format!("{asked}")}))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(asked < 10_000, "it stays on the same connection");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(a.count(), asked, "each was asked once");
    let failed = "detector_failures_total{detector=\"a\"";
    assert!(!service.get("/metrics").await.text.contains(failed));
}
