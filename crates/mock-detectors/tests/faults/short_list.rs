use serde_json::json;

use crate::probe::Probe;

#[tokio::test]
async fn a_short_list_lacks_its_last_entries() {
    let probe = Probe::failing(json!({"short_list": {"missing": 2}})).await;
    let seen = probe.detect_batch().await.json();
    let results = seen["results"].as_array().expect("a list");
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["request_id"], "0");
    assert_eq!(
        probe.detect().await.json()["detections"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    probe.stop().await;
}
