use serde_json::json;

use crate::probe::Probe;

#[tokio::test]
async fn the_answer_belongs_to_other_content() {
    let probe = Probe::failing(json!({"other_answer": {}})).await;
    let seen = probe
        .post(
            "/detect",
            &json!({"content": "clean", "request_id": "mine"}),
        )
        .await
        .json();
    assert_eq!(seen["request_id"], "mine");
    assert_ne!(seen["output"], "clean");
    probe.stop().await;
}
