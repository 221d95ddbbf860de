use std::sync::atomic::{AtomicU64, Ordering};

use fault_profile::{Model, Profile};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Map, Value, json};

use crate::client::{Client, start};

/// Names of a profile's fields, and some unknown ones.
const NAMES: [&str; 40] = [
    "seed",
    "success_rate",
    "latency",
    "failures",
    "cost",
    "pattern",
    "accuracy",
    "connection",
    "queue",
    "rate_limit",
    "correlation",
    "schedule",
    "constant",
    "uniform",
    "ms",
    "min_ms",
    "max_ms",
    "mixture",
    "parts",
    "weight",
    "truncated",
    "percentiles",
    "points",
    "percentile",
    "kind",
    "status",
    "code",
    "reset",
    "at",
    "body_bytes",
    "workers",
    "service",
    "stages",
    "for_ms",
    "set",
    "ramps",
    "parameter",
    "repeat",
    "bogus",
    "",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![9 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => ".{0,6}"]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0.0..2.0f64).prop_map(Value::from),
        (0..2_000u32).prop_map(Value::from),
        name().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A change that is valid more often than a random one.
fn patch() -> impl Strategy<Value = Value> {
    let field = (prop::sample::select(&NAMES[..12]), json_value());
    let object = prop::collection::vec(field, 0..3).prop_map(|pairs| {
        Value::Object(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    });
    prop_oneof![6 => object, 1 => json_value(), 2 => sensible()]
}

fn sensible() -> impl Strategy<Value = Value> {
    (0.0..1.2f64, 0.0..50.0f64, 0..20u64).prop_map(|(rate, ms, n)| {
        json!({
            "success_rate": rate,
            "latency": { "uniform": { "min_ms": ms, "max_ms": 25.0 } },
            "pattern": { "first_succeed": n },
            "schedule": { "stages": [{ "for_ms": n, "set": { "success_rate": rate } }] },
        })
    })
}

/// Cases to try; `FUZZ_CASES=1000000` is the long run.
fn cases() -> u32 {
    std::env::var("FUZZ_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(5_000)
}

/// By the same function as the admin API: no change panics, and a refused one leaves the profile unchanged.
#[tokio::test]
async fn no_change_breaks_a_detector() {
    let fleet = start(json!({"success_rate": 0.5})).await;
    let applied = AtomicU64::new(0);
    let config = ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(patch in patch())| {
        let before = serde_json::to_vec(&fleet.profile("mock")).expect("JSON");
        match fleet.patch("mock", &patch) {
            Ok(_) => {
                applied.fetch_add(1, Ordering::Relaxed);
                let profile = fleet.profile("mock").expect("started");
                let mut faults = Vec::new();
                profile.validate(&mut faults);
                prop_assert_eq!(faults, vec![]);
                let model = Model::new(&profile, "mock").expect("valid");
                let key = fault_profile::Key::Index(1);
                let at = std::time::Duration::from_millis(7);
                model.decide(&fault_profile::Request {
                    tenant: "", key, attempt: 1, index: 1, chars: 9, items: 1, at,
                });
                let written = serde_json::to_string(&profile).expect("JSON");
                prop_assert_eq!(serde_json::from_str::<Profile>(&written).expect("reads"), profile);
                fleet.reset();
            }
            Err(_) => {
                let after = serde_json::to_vec(&fleet.profile("mock")).expect("JSON");
                prop_assert_eq!(before, after, "a refused change changed something");
            }
        }
    });
    assert!(
        applied.load(Ordering::Relaxed) > 0,
        "no case was valid: the test tests nothing"
    );
    fleet.stop().await;
}

/// Bytes that are not JSON, or JSON that is not a patch, over the wire.
#[tokio::test]
async fn no_bytes_break_the_admin_api() {
    let fleet = start(json!({})).await;
    let mut client = Client::to(&fleet).await;
    let before = client.get("/__admin/profile").await.body.to_string();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    for _ in 0..300 {
        let body = bytes.new_tree(&mut runner).expect("a value").current();
        let answer = client.send("PATCH /__admin/profile", &[], body).await;
        assert!(
            [400, 422].contains(&answer.status.as_u16()),
            "{}",
            answer.status
        );
    }
    assert_eq!(
        client.get("/__admin/profile").await.body.to_string(),
        before
    );
    fleet.stop().await;
}
