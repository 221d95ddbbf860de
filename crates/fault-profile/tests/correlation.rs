//! Failures are correlated exactly as declared.

use std::time::Duration;

use fault_profile::{Key, Model, Profile, Request};
use serde_json::{Value, json};

const N: u64 = 200_000;

fn failures(detector: &str, profile: Value, slot_ms: u64) -> Vec<bool> {
    let profile: Profile = serde_json::from_value(profile).expect("the test's own profile");
    let model = Model::new(&profile, detector).expect("valid");
    let decide = |index| {
        let key = Key::Index(index);
        let at = Duration::from_millis(index * slot_ms);
        let request = Request {
            tenant: "t",
            key,
            attempt: 1,
            index,
            chars: 0,
            items: 1,
            at,
        };
        model.decide(&request).failure.is_some()
    };
    (1..=N).map(decide).collect()
}

fn share(list: &[bool]) -> f64 {
    list.iter().filter(|&&fails| fails).count() as f64 / list.len() as f64
}

fn phi(a: &[bool], b: &[bool]) -> f64 {
    let both: Vec<bool> = a.iter().zip(b).map(|(a, b)| *a && *b).collect();
    let (pa, pb, pab) = (share(a), share(b), share(&both));
    (pab - pa * pb) / (pa * (1.0 - pa) * pb * (1.0 - pb)).sqrt()
}

fn mean_burst(list: &[bool]) -> f64 {
    let bursts = list.windows(2).filter(|pair| !pair[0] && pair[1]).count();
    list.iter().filter(|&&fails| fails).count() as f64 / bursts as f64
}

#[test]
fn detectors_of_a_group_fail_with_the_declared_correlation() {
    for by in [json!("request"), json!({"slot_ms": 10})] {
        for expected in [0.0, 0.3, 1.0] {
            let profile = json!({"success_rate": 0.9,
                "correlation": {"group": {"name": "provider", "share": expected, "by": by}}});
            let (a, b) = (
                failures("a", profile.clone(), 10),
                failures("b", profile, 10),
            );
            assert!(
                (share(&a) - 0.1).abs() < 0.004,
                "the rate itself stays: {}",
                share(&a)
            );
            assert!(
                (phi(&a, &b) - expected).abs() < 0.02,
                "{by} {expected}: {}",
                phi(&a, &b)
            );
        }
    }
}

#[test]
fn detectors_without_a_group_fail_independently() {
    let profile = json!({"success_rate": 0.8});
    let (a, b) = (failures("a", profile.clone(), 1), failures("b", profile, 1));
    assert!(phi(&a, &b).abs() < 0.01, "{}", phi(&a, &b));
}

#[test]
fn bursts_are_as_long_and_as_frequent_as_declared() {
    for (enter, leave) in [(0.01, 0.1), (0.05, 0.5), (0.6, 0.7), (0.9, 0.8)] {
        let states = json!({"good_to_bad": enter, "bad_to_good": leave});
        let list = failures("a", json!({"correlation": {"gilbert_elliott": states}}), 1);
        let stationary = enter / (enter + leave);
        assert!(
            (share(&list) / stationary - 1.0).abs() < 0.05,
            "{enter} {leave}: {}",
            share(&list)
        );
        let burst = mean_burst(&list);
        assert!(
            (burst * leave - 1.0).abs() < 0.05,
            "{enter} {leave}: burst {burst}"
        );
    }
}

#[test]
fn burst_lengths_are_geometric() {
    let states = json!({"good_to_bad": 0.05, "bad_to_good": 0.25});
    let list = failures("a", json!({"correlation": {"gilbert_elliott": states}}), 1);
    let mut lengths = [0u32; 40];
    let mut run = 0usize;
    for fails in list {
        if fails {
            run += 1;
        } else if run > 0 {
            lengths[run.min(39)] += 1;
            run = 0;
        }
    }
    let total: u32 = lengths.iter().sum();
    for (length, &count) in lengths.iter().enumerate().take(10).skip(1) {
        let expected = 0.25 * 0.75f64.powi(length as i32 - 1);
        let observed = f64::from(count) / f64::from(total);
        assert!(
            (observed - expected).abs() < 0.012,
            "length {length}: {observed} {expected}"
        );
    }
}
