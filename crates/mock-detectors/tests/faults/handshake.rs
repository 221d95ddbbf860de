use std::io::ErrorKind;
use std::time::Duration;

use serde_json::json;

use crate::probe::Probe;
use crate::secure::connect;

#[tokio::test]
async fn an_aborted_handshake_is_a_reset() {
    let probe = Probe::secure(json!({"connection": {"handshake": "abort"}}), false).await;
    let error = connect(&probe, &[]).await.expect_err("no handshake");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    probe.stop().await;
}

#[tokio::test]
async fn a_stalled_handshake_neither_continues_nor_ends() {
    let probe = Probe::secure(json!({"connection": {"handshake": "stall"}}), false).await;
    let connecting = tokio::time::timeout(Duration::from_millis(200), connect(&probe, &[]));
    assert!(
        connecting.await.is_err(),
        "still waiting when the client loses patience"
    );
    probe.stop().await;
}
