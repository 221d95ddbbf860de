use serde_json::json;

use crate::probe::{End, Probe};

#[tokio::test]
async fn garbage_is_as_long_as_declared_no_http_and_the_same_for_the_same_key() {
    let probe = Probe::failing(json!({"garbage": {"bytes": 300}})).await;
    let (first, second) = (probe.detect().await, probe.detect().await);
    assert_eq!((first.end, first.bytes.len()), (End::Closed, 300));
    assert!(first.bytes[0] >= 0x80);
    assert_eq!(first.bytes, second.bytes);
    probe.stop().await;
}
