use serde_json::json;

use crate::probe::{End, Probe};

#[tokio::test]
async fn over_http_1_a_stream_reset_is_a_connection_reset() {
    let probe = Probe::failing(json!({"rst_stream": {"code": 8}})).await;
    let seen = probe.detect().await;
    assert_eq!((seen.end, seen.bytes), (End::Reset, Vec::new()));
    probe.stop().await;
}
