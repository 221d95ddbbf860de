use serde_json::{Value, json};

use crate::probe::{End, Probe};

#[tokio::test]
async fn the_body_is_complete_http_but_not_json() {
    let probe = Probe::failing(json!({"malformed_json": {}})).await;
    let seen = probe.detect().await;
    let (_, body) = seen.parts();
    assert_eq!(
        (seen.status(), seen.end, seen.content_length()),
        (200, End::Closed, body.len())
    );
    assert!(body.ends_with(b"]}]"));
    assert!(serde_json::from_slice::<Value>(&body).is_err());
    probe.stop().await;
}
