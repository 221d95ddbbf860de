use serde_json::json;

use crate::probe::{End, Probe};

#[tokio::test]
async fn a_status_has_the_dialects_own_format_with_retry_after() {
    let kind = json!({"status": {"code": 503, "retry_after_s": 7, "message": "out for lunch"}});
    let probe = Probe::failing(kind).await;
    let seen = probe.detect().await;
    assert_eq!((seen.status(), seen.end), (503, End::Closed));
    assert_eq!(seen.header("retry-after").as_deref(), Some("7"));
    assert_eq!(
        seen.json(),
        json!({"error": "SERVICE_UNAVAILABLE", "message": "out for lunch"})
    );
    assert_eq!(seen.decision("fault").as_deref(), Some("status"));
    assert_eq!(seen.decision("key").as_deref(), Some("key-1"));
    probe.stop().await;
}

#[tokio::test]
async fn the_code_in_the_body_can_differ_from_the_status() {
    let probe = Probe::failing(json!({"status": {"code": 200, "body_code": 500}})).await;
    let seen = probe.detect().await;
    assert_eq!(seen.status(), 200);
    assert_eq!(seen.json()["error"], "INTERNAL_SERVER_ERROR");
    probe.stop().await;
}
