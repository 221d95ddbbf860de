use serde_json::json;

use crate::probe::{End, Probe};

#[tokio::test]
async fn over_http_1_going_away_is_a_close() {
    let probe = Probe::failing(json!({"goaway": {}})).await;
    let seen = probe.detect().await;
    assert_eq!((seen.end, seen.bytes), (End::Closed, Vec::new()));
    probe.stop().await;
}
