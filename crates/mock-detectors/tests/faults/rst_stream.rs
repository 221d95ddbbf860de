use h2::Reason;
use serde_json::json;

use crate::http2::look;
use crate::probe::{End, Probe};

#[tokio::test]
async fn over_http_1_a_stream_reset_is_a_connection_reset() {
    let probe = Probe::failing(json!({"rst_stream": {"code": 8}})).await;
    let seen = probe.detect().await;
    assert_eq!((seen.end, seen.bytes), (End::Reset, Vec::new()));
    probe.stop().await;
}

#[tokio::test]
async fn rst_stream_carries_the_declared_code() {
    let seen = look(json!({"rst_stream": {"code": 11}})).await;
    let error = seen.error.expect("an error");
    assert!(error.is_reset() && error.is_remote());
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
}
