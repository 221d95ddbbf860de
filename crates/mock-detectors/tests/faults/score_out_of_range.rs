use serde_json::json;

use crate::probe::Probe;

#[tokio::test]
async fn scores_lie_outside_zero_to_one_even_on_clean_content() {
    let probe = Probe::failing(json!({"score_out_of_range": {"score": -3.5}})).await;
    let seen = probe.detect().await.json();
    let scores: Vec<f64> = seen["detections"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|found| found["score"].as_f64().expect("a number"))
        .collect();
    assert_eq!(scores, [-3.5, -3.5, -3.5]);
    let clean = probe
        .post("/detect", &json!({"content": "clean"}))
        .await
        .json();
    assert_eq!(clean["detections"][0]["score"], json!(-3.5));
    probe.stop().await;
}
