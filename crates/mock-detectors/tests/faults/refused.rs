use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::probe::Probe;

/// Waits until a connection attempt has this result.
async fn wait_for(probe: &Probe, refused: bool) {
    for _ in 0..500 {
        let connected = TcpStream::connect(probe.address);
        let is = connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
        if is == refused {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("connecting was never refused = {refused}");
}

#[tokio::test]
async fn the_operating_system_refuses_until_the_listener_is_back_on_its_port() {
    let probe = Probe::with(json!({})).await;
    assert_eq!(probe.detect().await.status(), 200);
    probe.patch(json!({"connection": {"refused": true}}));
    wait_for(&probe, true).await;
    probe.patch(json!({"connection": {"refused": false}}));
    wait_for(&probe, false).await;
    assert_eq!(probe.detect().await.status(), 200);
    probe.stop().await;
}

#[tokio::test]
async fn a_schedule_closes_and_opens_the_listener() {
    let probe = Probe::with(json!({"schedule": {"stages": [
        {"at_ms": 50, "for_ms": 300, "set": {"connection": {"refused": true}}}]}}))
    .await;
    wait_for(&probe, true).await;
    wait_for(&probe, false).await;
    probe.stop().await;
}
