use serde_json::json;

use crate::probe::Probe;

#[tokio::test]
async fn the_answer_has_an_id_that_was_not_sent() {
    let probe = Probe::failing(json!({"wrong_id": {}})).await;
    let seen = probe.detect().await;
    let id = seen.json()["request_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_ne!(id, "key-1");
    assert_eq!(seen.header("x-request-id"), Some(id));
    assert_eq!(
        seen.decision("key").as_deref(),
        Some("key-1"),
        "the decision names the real key"
    );
    probe.stop().await;
}
