use std::time::Duration;

use serde_json::json;

use crate::probe::Probe;

#[tokio::test]
async fn connecting_takes_its_own_time_apart_from_the_answer() {
    let probe = Probe::with(json!({"connection": {"latency": {"constant": {"ms": 120}}}})).await;
    let seen = probe.detect().await;
    assert_eq!(seen.status(), 200);
    assert!(seen.first_byte.expect("an answer") >= Duration::from_millis(119));
    assert_eq!(seen.decision("planned_us").as_deref(), Some("0"));
    probe.stop().await;
}
