use serde_json::json;

use crate::probe::Probe;

#[tokio::test]
async fn a_stale_answer_is_the_one_given_the_declared_number_of_answers_ago() {
    let probe = Probe::with(json!({})).await;
    for content in [
        "first@example.org",
        "second@example.org",
        "third@example.org",
    ] {
        probe.post("/detect", &json!({"content": content})).await;
    }
    probe.patch(json!({"success_rate": 0, "failures": [{"kind": {"stale_answer": {"age": 2}}}]}));
    let seen = probe.detect().await.json();
    assert_eq!(seen["detections"][0]["text"], "second@example.org");
    probe.stop().await;
}
