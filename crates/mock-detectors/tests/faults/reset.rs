use serde_json::json;

use crate::probe::{End, Probe};

#[tokio::test]
async fn a_reset_follows_exactly_the_declared_bytes() {
    let whole = Probe::with(json!({})).await;
    let body = whole.detect().await.parts().1;
    whole.stop().await;
    for (at, sent) in [
        (json!("after_head"), 0),
        (json!({"body_bytes": 25}), 25),
        (json!({"body_fraction": 0.5}), body.len() / 2),
        (json!({"body_bytes": 1_000_000}), body.len()),
    ] {
        let probe = Probe::failing(json!({"reset": {"at": at}})).await;
        let seen = probe.detect().await;
        assert_eq!(seen.end, End::Reset, "{at}");
        assert_eq!(seen.status(), 200);
        assert_eq!(
            seen.content_length(),
            body.len(),
            "{at}: the head promises the whole body"
        );
        assert_eq!(seen.parts().1, body[..sent], "{at}");
        probe.stop().await;
    }
}

#[tokio::test]
async fn a_reset_before_the_head_sends_nothing() {
    let probe = Probe::failing(json!({"reset": {}})).await;
    let seen = probe.detect().await;
    assert_eq!((seen.end, seen.bytes), (End::Reset, Vec::new()));
    probe.stop().await;
}

#[tokio::test]
async fn a_reset_in_the_head_leaves_a_part_of_it() {
    let probe = Probe::failing(json!({"reset": {"at": "in_head"}})).await;
    let seen = probe.detect().await;
    assert_eq!(seen.end, End::Reset);
    assert!(
        seen.bytes.starts_with(b"HTTP/1.1 200 OK\r\n"),
        "{}",
        seen.text()
    );
    assert!(!seen.text().contains("\r\n\r\n"), "{}", seen.text());
    probe.stop().await;
}

#[tokio::test]
async fn a_reset_after_a_large_body_loses_none_of_it() {
    let probe = Probe::failing(json!({"reset": {"at": {"body_bytes": 2_000_000}}})).await;
    let content = "ada@example.org ".repeat(8_000);
    let seen = probe.post("/detect", &json!({ "content": content })).await;
    assert_eq!(seen.end, End::Reset);
    assert_eq!(seen.parts().1.len(), seen.content_length());
    assert!(seen.content_length() > 500_000, "{}", seen.content_length());
    probe.stop().await;
}
