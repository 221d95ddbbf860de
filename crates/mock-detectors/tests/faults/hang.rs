use serde_json::json;

use crate::probe::{End, Probe};

#[tokio::test]
async fn a_hang_keeps_the_connection_open_and_sends_nothing_more() {
    for (at, complete_head, body) in [
        (json!("before_head"), false, 0),
        (json!("after_head"), true, 0),
        (json!({"body_bytes": 10}), true, 10),
    ] {
        let probe = Probe::failing(json!({"hang": {"at": at}})).await;
        let seen = probe.detect().await;
        assert_eq!(seen.end, End::Silent, "{at}");
        if complete_head {
            assert_eq!(seen.parts().1.len(), body, "{at}");
        } else {
            assert_eq!(seen.bytes, b"", "{at}");
        }
        probe.stop().await;
    }
}
