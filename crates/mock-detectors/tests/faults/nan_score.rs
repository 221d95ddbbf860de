use serde_json::{Value, json};

use crate::probe::Probe;

#[tokio::test]
async fn every_score_is_nan_which_json_cannot_express() {
    let probe = Probe::failing(json!({"nan_score": {}})).await;
    let seen = probe.detect().await;
    let body = String::from_utf8(seen.parts().1).expect("text");
    assert_eq!(seen.content_length(), body.len());
    assert_eq!(body.matches("\"score\":NaN").count(), 3, "{body}");
    assert!(serde_json::from_str::<Value>(&body).is_err());
    assert!(
        serde_json::from_str::<Value>(&body.replace("NaN", "0.5")).is_ok(),
        "{body}"
    );
    probe.stop().await;
}
