use serde_json::json;

use crate::probe::{End, Probe};

#[tokio::test]
async fn a_drip_takes_the_time_of_its_rate() {
    let probe = Probe::failing(json!({"drip": {"bytes_per_s": 1500}})).await;
    let seen = probe.detect().await;
    assert_eq!(seen.end, End::Closed);
    assert_eq!(
        seen.json()["output"],
        "email_address",
        "the whole answer arrives"
    );
    let expected_s = seen.content_length() as f64 / 1500.0;
    assert!(
        seen.total.as_secs_f64() >= expected_s * 0.98,
        "{:?} of {expected_s} s",
        seen.total
    );
    probe.stop().await;
}
