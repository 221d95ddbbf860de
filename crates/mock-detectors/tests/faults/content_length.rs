use serde_json::json;

use crate::probe::{End, Probe};

#[tokio::test]
async fn the_declared_length_is_off_by_the_declared_number() {
    for off_by in [10, -10] {
        let probe = Probe::failing(json!({"content_length": {"off_by": off_by}})).await;
        let seen = probe.detect().await;
        let sent = seen.parts().1.len() as i64;
        assert_eq!(
            (seen.end, seen.content_length() as i64),
            (End::Closed, sent + off_by)
        );
        probe.stop().await;
    }
}
