use serde_json::json;

use crate::probe::Probe;

#[tokio::test]
async fn a_long_list_has_additional_entries() {
    let probe = Probe::failing(json!({"long_list": {"extra": 2}})).await;
    let seen = probe.detect_batch().await.json();
    assert_eq!(seen["results"].as_array().map(Vec::len), Some(5));
    assert_eq!(
        probe.detect().await.json()["detections"]
            .as_array()
            .map(Vec::len),
        Some(5)
    );
    probe.stop().await;
}
