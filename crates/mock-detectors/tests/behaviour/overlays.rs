//! Overlays: named patches over a profile, which are added and removed independently.

use std::time::Duration;

use mock_detectors::Fleet;
use serde_json::{Value, json};

use crate::client::{Client, Response, start};

/// Longer than any wait of a test, shorter than a test's time limit.
const LONG: &str = "?ttl_ms=600000";

async fn lay(client: &mut Client, name: &str, query: &str, patch: Value) -> Response {
    let line = format!("PUT /__admin/overlays/{name}{query}");
    client.send(&line, &[], patch.to_string().into()).await
}

async fn lift(client: &mut Client, name: &str) -> u16 {
    let line = format!("DELETE /__admin/overlays/{name}");
    client.send(&line, &[], Vec::new()).await.status.as_u16()
}

async fn renew(client: &mut Client, name: &str, query: &str) -> u16 {
    let line = format!("POST /__admin/overlays/{name}/renew{query}");
    client.send(&line, &[], Vec::new()).await.status.as_u16()
}

/// Success rate and constant latency in force.
fn in_force(fleet: &Fleet) -> (f64, Value) {
    let profile = fleet.profile("mock").expect("started");
    let latency = json!(profile.latency)["constant"]["ms"].clone();
    (profile.success_rate, latency)
}

async fn until(fleet: &Fleet, success_rate: f64) {
    while in_force(fleet).0 != success_rate {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn two_overlays_end_independently() {
    let fleet = start(json!({"latency": {"constant": {"ms": 1}}})).await;
    let mut client = Client::to(&fleet).await;
    lay(
        &mut client,
        "slow",
        LONG,
        json!({"latency": {"constant": {"ms": 7}}}),
    )
    .await;
    lay(&mut client, "dead", LONG, json!({"success_rate": 0})).await;
    assert_eq!(in_force(&fleet), (0.0, json!(7.0)));
    assert_eq!(lift(&mut client, "slow").await, 200);
    assert_eq!(in_force(&fleet), (0.0, json!(1.0)));
    // A change below stays when the overlay is removed.
    client
        .patch("", json!({"latency": {"constant": {"ms": 3}}}))
        .await;
    assert_eq!(in_force(&fleet), (0.0, json!(3.0)));
    assert_eq!(lift(&mut client, "dead").await, 200);
    assert_eq!(in_force(&fleet), (1.0, json!(3.0)));
    assert_eq!(lift(&mut client, "dead").await, 404);
    fleet.stop().await;
}

#[tokio::test]
async fn an_overlay_without_renewal_expires_and_cannot_be_renewed_later() {
    let fleet = start(json!({})).await;
    let mut client = Client::to(&fleet).await;
    lay(&mut client, "a", "?ttl_ms=30", json!({"success_rate": 0})).await;
    assert_eq!(in_force(&fleet).0, 0.0);
    until(&fleet, 1.0).await;
    assert_eq!(renew(&mut client, "a", LONG).await, 404);
    assert_eq!(in_force(&fleet).0, 1.0);
    lay(
        &mut client,
        "b",
        "?ttl_ms=10000",
        json!({"success_rate": 0}),
    )
    .await;
    let revision = client.get("/__admin").await.body["revision"].clone();
    assert_eq!(renew(&mut client, "b", LONG).await, 200);
    let state = client.get("/__admin").await.body;
    assert_eq!(state["revision"], revision, "nothing has changed");
    assert_eq!(state["overlays"][0]["name"], "b");
    let left = state["overlays"][0]["expires_in_ms"]
        .as_u64()
        .expect("a number");
    assert!(left > 10_000, "{left}");
    assert_eq!(renew(&mut client, "b", "?ttl_ms=1").await, 200);
    until(&fleet, 1.0).await;
    fleet.stop().await;
}

#[tokio::test]
async fn a_time_to_live_below_an_overlay_continues() {
    let fleet = start(json!({"success_rate": 0.9})).await;
    let mut client = Client::to(&fleet).await;
    client
        .patch("?ttl_ms=60", json!({"success_rate": 0.5}))
        .await;
    lay(
        &mut client,
        "slow",
        LONG,
        json!({"latency": {"constant": {"ms": 7}}}),
    )
    .await;
    assert_eq!(in_force(&fleet), (0.5, json!(7.0)));
    until(&fleet, 0.9).await;
    assert_eq!(in_force(&fleet), (0.9, json!(7.0)), "the overlay stays");
    fleet.stop().await;
}

#[tokio::test]
async fn reset_removes_overlays() {
    let fleet = start(json!({})).await;
    let mut client = Client::to(&fleet).await;
    lay(&mut client, "a", LONG, json!({"success_rate": 0})).await;
    client.send("POST /__admin/reset", &[], Vec::new()).await;
    assert_eq!(in_force(&fleet).0, 1.0);
    assert_eq!(client.get("/__admin").await.body["overlays"], json!([]));
    fleet.stop().await;
}

#[tokio::test]
async fn an_invalid_overlay_is_refused_and_changes_nothing() {
    let fleet = start(json!({})).await;
    let mut client = Client::to(&fleet).await;
    let before = client.get("/__admin").await.body["revision"].clone();
    let refused = lay(&mut client, "a", LONG, json!({"succes_rate": 0})).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.body["errors"][0]["path"], "succes_rate");
    for name in ["a%20b", &"x".repeat(65)] {
        let refused = lay(&mut client, name, LONG, json!({})).await;
        assert_eq!(refused.status, 422, "{name}");
    }
    let state = client.get("/__admin").await.body;
    assert_eq!(
        (&state["revision"], &state["overlays"]),
        (&before, &json!([]))
    );
    for n in 0..64 {
        lay(&mut client, &n.to_string(), LONG, json!({})).await;
    }
    let refused = lay(&mut client, "one-more", LONG, json!({})).await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert_eq!(lay(&mut client, "7", LONG, json!({})).await.status, 200);
    fleet.stop().await;
}

#[tokio::test]
async fn temporary_changes_end_independently_and_leave_later_ones() {
    let fleet = start(json!({"latency": {"constant": {"ms": 1}}})).await;
    let mut client = Client::to(&fleet).await;
    let latency = |ms: u64| json!({"latency": {"constant": {"ms": ms}}});
    client.patch(LONG, latency(7)).await;
    client
        .patch("?ttl_ms=200", json!({"success_rate": 0}))
        .await;
    client.patch("", json!({"seed": 5})).await;
    assert_eq!(in_force(&fleet), (0.0, json!(7.0)));
    until(&fleet, 1.0).await;
    assert_eq!(in_force(&fleet).1, json!(7.0), "it has its own time");
    let seed = || fleet.profile("mock").expect("started").seed;
    let for_good = seed();
    assert_eq!(json!(for_good), json!(5));
    client.send("POST /__admin/reset", &[], Vec::new()).await;
    assert_eq!(in_force(&fleet).1, json!(1.0));
    fleet.stop().await;
}
