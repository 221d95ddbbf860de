use serde_json::json;

use crate::probe::{End, Probe};

#[tokio::test]
async fn a_close_is_a_fin_without_a_reply_or_after_a_part_of_it() {
    for (at, sent) in [
        (json!("before_head"), None),
        (json!("after_head"), Some(0)),
        (json!({"body_bytes": 7}), Some(7)),
    ] {
        let probe = Probe::failing(json!({"close": {"at": at}})).await;
        let seen = probe.detect().await;
        assert_eq!(seen.end, End::Closed, "{at}");
        match sent {
            None => assert_eq!(seen.bytes, b"", "{at}"),
            Some(sent) => {
                assert_eq!(seen.parts().1.len(), sent, "{at}");
                assert!(seen.content_length() > sent, "{at}");
            }
        }
        probe.stop().await;
    }
}
