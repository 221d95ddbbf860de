use std::time::Duration;

use serde_json::json;

use crate::probe::Probe;

#[tokio::test]
async fn a_timeout_is_a_correct_answer_after_its_own_delay() {
    let probe = Probe::with(json!({
        "success_rate": 0,
        "latency": {"constant": {"ms": 5}},
        "failures": [{"kind": {"timeout": {"after_ms": 150}}}]
    }))
    .await;
    let seen = probe.detect().await;
    assert_eq!(seen.status(), 200);
    assert!(seen.first_byte.expect("an answer") >= Duration::from_millis(150));
    assert_eq!(seen.decision("planned_us").as_deref(), Some("150000"));
    assert_eq!(seen.json()["output"], "email_address");
    probe.stop().await;
}
