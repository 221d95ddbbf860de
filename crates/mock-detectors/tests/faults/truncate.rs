use serde_json::json;

use crate::probe::{End, Probe};

#[tokio::test]
async fn a_truncated_body_has_the_full_content_length_and_ends_early() {
    for fraction in [0.0, 0.25, 0.9] {
        let probe = Probe::failing(json!({"truncate": {"fraction": fraction}})).await;
        let seen = probe.detect().await;
        let expected = (seen.content_length() as f64 * fraction) as usize;
        assert_eq!((seen.end, seen.parts().1.len()), (End::Closed, expected));
        probe.stop().await;
    }
}
