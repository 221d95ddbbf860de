use serde_json::json;

use crate::probe::{End, Probe};

#[tokio::test]
async fn garbage_has_the_declared_length_is_not_http_and_depends_on_the_key() {
    let probe = Probe::failing(json!({"garbage": {"bytes": 300}})).await;
    let (first, second) = (probe.detect().await, probe.detect().await);
    assert_eq!((first.end, first.bytes.len()), (End::Closed, 300));
    assert!(first.bytes[0] >= 0x80);
    assert_eq!(first.bytes, second.bytes);
    probe.stop().await;
}
