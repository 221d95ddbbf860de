//! Same seed and keys, same decisions, whatever the order and the concurrency.

use std::time::Duration;

use fault_profile::{Decision, Key, Model, Profile, Request};
use proptest::prelude::*;
use serde_json::json;

fn profile(seed: u64, success_rate: f64) -> Profile {
    serde_json::from_value(json!({
        "seed": seed,
        "success_rate": success_rate,
        "latency": {"log_normal": {"median_ms": 50, "p99_ms": 400}},
        "failures": [
            {"weight": 3, "kind": {"status": {"code": 503}}},
            {"weight": 1, "kind": {"reset": {}}},
            {"kind": {"hang": {}}}
        ],
        "correlation": {"group": {"name": "provider", "share": 0.5}}
    }))
    .expect("the test's own profile")
}

fn decide(model: &Model, key: &str) -> Decision {
    let key = Key::Named(key);
    let at = Duration::ZERO;
    model.decide(&Request {
        tenant: "t",
        key,
        attempt: 1,
        index: 1,
        chars: 9,
        items: 1,
        at,
    })
}

#[test]
fn sixty_four_threads_decide_the_same_list_as_one() {
    let model = Model::new(&profile(7, 0.5), "detector").expect("valid");
    let keys: Vec<String> = (0..6_400).map(|n| format!("request-{n}")).collect();
    let alone: Vec<Decision> = keys.iter().map(|key| decide(&model, key)).collect();
    let mut together: Vec<(usize, Decision)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64)
            .map(|thread| {
                let (model, keys) = (&model, &keys);
                scope.spawn(move || {
                    let own = (thread..keys.len()).step_by(64).rev();
                    own.map(|n| (n, decide(model, &keys[n])))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    together.sort_by_key(|(n, _)| *n);
    let together: Vec<Decision> = together.into_iter().map(|(_, decision)| decision).collect();
    assert_eq!(alone, together);
}

proptest! {
    #[test]
    fn order_does_not_matter(seed: u64, rate in 0.0..=1.0f64, keys in prop::collection::vec(".{0,12}", 1..40)) {
        let model = Model::new(&profile(seed, rate), "detector").expect("valid");
        let forward: Vec<_> = keys.iter().map(|key| decide(&model, key)).collect();
        let mut backward: Vec<_> = keys.iter().rev().map(|key| decide(&model, key)).collect();
        backward.reverse();
        prop_assert_eq!(forward, backward);
    }

    #[test]
    fn another_seed_detector_tenant_or_attempt_draws_anew(seed: u64) {
        let count = 64;
        let list = |seed: u64, detector: &str, tenant: &str, attempt: u32| -> Vec<Duration> {
            let model = Model::new(&profile(seed, 0.5), detector).expect("valid");
            (0..count).map(|index| model.decide(&Request {
                tenant, key: Key::Index(index), attempt, index, chars: 0, items: 1, at: Duration::ZERO,
            }).latency).collect()
        };
        let first = list(seed, "a", "t", 1);
        prop_assert_eq!(&first, &list(seed, "a", "t", 1));
        prop_assert_ne!(&first, &list(seed.wrapping_add(1), "a", "t", 1));
        prop_assert_ne!(&first, &list(seed, "b", "t", 1));
        prop_assert_ne!(&first, &list(seed, "a", "u", 1));
        prop_assert_ne!(&first, &list(seed, "a", "t", 2));
    }

    #[test]
    fn changing_the_failure_rate_moves_no_latency(seed: u64) {
        let (calm, rough) = (profile(seed, 1.0), profile(seed, 0.2));
        let calm = Model::new(&calm, "d").expect("valid");
        let rough = Model::new(&rough, "d").expect("valid");
        for n in 0..50 {
            let key = n.to_string();
            prop_assert_eq!(decide(&calm, &key).latency, decide(&rough, &key).latency);
        }
    }
}
