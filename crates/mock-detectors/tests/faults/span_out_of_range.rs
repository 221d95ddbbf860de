use serde_json::json;

use crate::probe::{CONTENT, Probe};

#[tokio::test]
async fn spans_begin_after_the_end_of_the_content() {
    let probe = Probe::failing(json!({"span_out_of_range": {}})).await;
    let seen = probe.detect().await.json();
    let length = CONTENT.chars().count() as u64;
    let found = seen["detections"].as_array().expect("a list");
    assert_eq!(found.len(), 3);
    assert!(
        found.iter().all(|one| one["start"].as_u64() > Some(length)),
        "{seen}"
    );
    probe.stop().await;
}
