use serde_json::json;

use crate::probe::Probe;

#[tokio::test]
async fn a_correct_body_has_another_content_type() {
    let kind = json!({"wrong_content_type": {"content_type": "text/plain; charset=latin1"}});
    let probe = Probe::failing(kind).await;
    let seen = probe.detect().await;
    assert_eq!(
        seen.header("content-type").as_deref(),
        Some("text/plain; charset=latin1")
    );
    assert_eq!(seen.json()["output"], "email_address");
    probe.stop().await;
}
