use h2::Reason;
use serde_json::json;

use crate::http2::look;
use crate::probe::{End, Probe};

#[tokio::test]
async fn over_http_1_going_away_is_a_close() {
    let probe = Probe::failing(json!({"goaway": {}})).await;
    let seen = probe.detect().await;
    assert_eq!((seen.end, seen.bytes), (End::Closed, Vec::new()));
    probe.stop().await;
}

#[tokio::test]
async fn goaway_carries_the_declared_code() {
    let seen = look(json!({"goaway": {"code": 2}})).await;
    let error = seen.error.expect("an error");
    assert!(error.is_go_away() && error.is_remote(), "{error:?}");
    assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
}
