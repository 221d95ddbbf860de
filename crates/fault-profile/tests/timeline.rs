//! Schedules: the active stages over time, and the keys to which they apply.

use std::time::Duration;

use fault_profile::{Key, Model, Profile, Request, Timeline};
use serde_json::{Value, json};

fn model(profile: Value) -> Model {
    let profile: Profile = serde_json::from_value(profile).expect("the test's own profile");
    Model::new(&profile, "detector").expect("valid")
}

fn at(model: &Model, at_ms: u64, index: u64) -> fault_profile::Decision {
    let at = Duration::from_millis(at_ms);
    let key = Key::Index(index);
    model.decide(&Request {
        tenant: "t",
        key,
        attempt: 1,
        index,
        chars: 0,
        items: 1,
        at,
    })
}

fn share_failing(model: &Model, at_ms: u64) -> f64 {
    (1..=4_000)
        .filter(|&index| at(model, at_ms, index).failure.is_some())
        .count() as f64
        / 4_000.0
}

#[test]
fn an_outage_begins_and_ends_at_its_times() {
    let model = model(json!({"schedule": {"stages":
        [{"name": "outage", "at_ms": 1000, "for_ms": 500, "set": {"success_rate": 0}}]}}));
    for (at_ms, expected) in [(0, 0.0), (999, 0.0), (1000, 1.0), (1499, 1.0), (1500, 0.0)] {
        assert_eq!(share_failing(&model, at_ms), expected, "at {at_ms}");
    }
    assert_eq!(
        model.timeline().next_change(Duration::ZERO),
        Some(Duration::from_secs(1))
    );
    assert_eq!(model.timeline().next_change(Duration::from_secs(2)), None);
}

#[test]
fn bursts_repeat_and_the_whole_schedule_loops() {
    let model = model(json!({"schedule": {"loop_every_ms": 1000, "stages": [
        {"at_ms": 100, "for_ms": 50, "repeat": {"every_ms": 200, "times": 3}, "set": {"success_rate": 0}}]}}));
    for round in [0, 1000, 7000] {
        for (at_ms, expected) in [
            (99, 0.0),
            (100, 1.0),
            (150, 0.0),
            (310, 1.0),
            (549, 1.0),
            (700, 0.0),
        ] {
            assert_eq!(
                share_failing(&model, round + at_ms),
                expected,
                "at {round} + {at_ms}"
            );
        }
    }
}

#[test]
fn ramps_follow_their_curves() {
    for (curve, quarter, half) in [
        (json!("linear"), 25.0, 50.0),
        (json!("s_curve"), 15.6, 50.0),
        (json!({"steps": 2}), 0.0, 50.0),
    ] {
        let model = model(
            json!({"latency": {"constant": {"ms": 0}}, "schedule": {"stages": [{
            "for_ms": 1000,
            "ramps": [{"parameter": "latency.constant.ms", "from": 0, "to": 100, "curve": curve}]}]}}),
        );
        let ms = |at_ms| at(&model, at_ms, 1).latency.as_secs_f64() * 1e3;
        assert!((ms(250) - quarter).abs() < 2.0, "{curve}: {}", ms(250));
        assert!((ms(500) - half).abs() < 2.0, "{curve}: {}", ms(500));
        assert!((ms(999) - 100.0).abs() < 1.1, "{curve}: {}", ms(999));
        assert_eq!(ms(1000), 0.0, "behind the stage the base holds");
    }
}

/// A share must remain a share, a status an error.
fn ends(parameter: &str) -> (f64, f64) {
    match parameter {
        "correlation.gilbert_elliott.good_to_bad" => (0.1, 0.9),
        _ if parameter.ends_with("code") => (500.0, 504.0),
        _ => (10.0, 14.5),
    }
}

/// One of each kind of place: a whole number, an element of a list, a value that a stage adds, a default,
/// another variant. All of them for the half of the keys to which the stage applies.
#[test]
fn any_number_of_the_profile_can_be_ramped_on_a_subset_of_keys() {
    let queue = json!({"workers": 1, "service": {"constant": {"ms": 1}}});
    let base = json!({"queue": queue, "success_rate": 0.5, "rate_limit": {"rate_per_s": 5.5},
        "latency": {"mixture": {"parts": [
            {"weight": 1, "latency": {"constant": {"ms": 1}}},
            {"weight": 1, "latency": {"percentiles": {"points": [
                {"percentile": 0, "ms": 1}, {"percentile": 100, "ms": 9}]}}}]}},
        "failures": [{"kind": {"status": {"code": 500}}}, {"kind": {"hang": {}}}],
        "connection": {"latency": {"constant": {"ms": 0}}}});
    for (parameter, set, place, whole) in [
        ("queue.workers", json!({}), "queue/workers", true),
        ("queue.capacity", json!({}), "queue/capacity", true),
        (
            "queue.batch.max_items",
            json!({"queue": {"batch": {"max_items": 4}}}),
            "queue/batch/max_items",
            true,
        ),
        (
            "pattern.every_nth_fails",
            json!({}),
            "pattern/every_nth_fails",
            true,
        ),
        (
            "failures[0].kind.status.code",
            json!({}),
            "failures/0/kind/status/code",
            true,
        ),
        ("failures.1.weight", json!({}), "failures/1/weight", false),
        (
            "latency.mixture.parts[1].latency.percentiles.points[1].ms",
            json!({}),
            "latency/mixture/parts/1/latency/percentiles/points/1/ms",
            false,
        ),
        (
            "latency.gamma.shape",
            json!({"latency": {"gamma": {"shape": 2, "scale_ms": 3}}}),
            "latency/gamma/shape",
            false,
        ),
        (
            "latency.constant.ms",
            json!({}),
            "latency/constant/ms",
            false,
        ),
        (
            "rate_limit.rate_per_s",
            json!({}),
            "rate_limit/rate_per_s",
            false,
        ),
        ("cost.per_char_us", json!({}), "cost/per_char_us", false),
        (
            "connection.latency.constant.ms",
            json!({}),
            "connection/latency/constant/ms",
            false,
        ),
        (
            "correlation.gilbert_elliott.good_to_bad",
            json!({"correlation": {"gilbert_elliott": {"good_to_bad": 0, "bad_to_good": 1}}}),
            "correlation/gilbert_elliott/good_to_bad",
            false,
        ),
    ] {
        let (from, to) = ends(parameter);
        let mut profile = base.clone();
        profile["schedule"] = json!({"stages": [{"for_ms": 1000, "set": set, "keys": 0.5,
            "ramps": [{"parameter": parameter, "from": from, "to": to, "curve": "s_curve"}]}]});
        let model = model(profile);
        let mut seen = Vec::new();
        for segment in model.timeline().segments() {
            if segment.stages.is_empty() {
                continue;
            }
            let written = serde_json::to_value(&*segment.profile).expect("JSON");
            let value = written
                .pointer(&format!("/{place}"))
                .and_then(Value::as_f64);
            seen.push(value.unwrap_or_else(|| panic!("{parameter}: {written}")));
        }
        let last = if whole { to.round() } else { to };
        assert!(seen.len() > 50, "{parameter}: {seen:?}");
        assert!(
            (seen[0], *seen.last().expect("not empty")) == (from, last),
            "{parameter}: {seen:?}"
        );
        assert!(seen.is_sorted(), "{parameter}: {seen:?}");
        let middle = seen[seen.len() / 2];
        assert!(
            (middle - f64::midpoint(from, to)).abs() < (to - from) * 0.15,
            "{parameter}: {middle}"
        );
    }
}

#[test]
fn a_ramp_of_a_latency_is_felt_by_its_share_of_keys_alone() {
    let model = model(
        json!({"latency": {"uniform": {"min_ms": 0, "max_ms": 1}}, "schedule": {"stages": [{
        "for_ms": 1000, "keys": 0.25,
        "ramps": [{"parameter": "latency.uniform.max_ms", "from": 100, "to": 300},
                  {"parameter": "latency.uniform.min_ms", "from": 100, "to": 300}]}]}}),
    );
    for at_ms in [0, 500, 990] {
        let slow: Vec<f64> = (1..=4_000)
            .map(|index| at(&model, at_ms, index).latency.as_secs_f64() * 1e3)
            .filter(|ms| *ms > 1.0)
            .collect();
        let share = slow.len() as f64 / 4_000.0;
        assert!((share - 0.25).abs() < 0.03, "{at_ms}: {share}");
        let expected = 100.0 + at_ms as f64 / 5.0;
        assert!(
            slow.iter().all(|ms| (ms - expected).abs() < 3.0),
            "{at_ms}: {:?}",
            slow.first()
        );
    }
}

#[test]
fn keys_that_are_in_at_ten_percent_are_in_at_twenty() {
    let model = model(
        json!({"schedule": {"stages": [{"for_ms": 1000, "set": {"success_rate": 0},
        "ramps": [{"parameter": "keys", "from": 0, "to": 1}]}]}}),
    );
    let mut affected: Vec<u64> = Vec::new();
    for at_ms in [100, 200, 500, 900] {
        let now: Vec<u64> = (1..=4_000)
            .filter(|&index| at(&model, at_ms, index).failure.is_some())
            .collect();
        let share = now.len() as f64 / 4_000.0;
        assert!(
            (share - at_ms as f64 / 1000.0).abs() < 0.03,
            "{at_ms}: {share}"
        );
        assert!(
            affected.iter().all(|index| now.contains(index)),
            "at {at_ms}"
        );
        affected = now;
    }
}

#[test]
fn patterns_come_by_position() {
    let model =
        model(json!({"pattern": {"first_succeed": 3, "then_fail": 2, "every_nth_fails": 4}}));
    let failing: Vec<u64> = (1..=14)
        .filter(|&index| at(&model, 0, index).failure.is_some())
        .collect();
    assert_eq!(failing, [4, 5, 9, 13]);
}

#[test]
fn the_hash_names_the_course_and_nothing_else() {
    let hash = |profile: Value| model(profile).timeline().hash();
    let one = json!({"success_rate": 0.9, "schedule": {"stages": [{"for_ms": 10, "set": {"success_rate": 0}}]}});
    let mut other = one.clone();
    other["schedule"]["stages"][0]["for_ms"] = json!(11);
    assert_eq!(hash(one.clone()), hash(one.clone()));
    assert_ne!(hash(one.clone()), hash(other));
    let mut partial = one.clone();
    partial["schedule"]["stages"][0]["keys"] = json!(0.5);
    assert_ne!(hash(one), hash(partial));
}

#[test]
fn a_stage_that_makes_nonsense_is_named() {
    for (stage, path) in [
        (
            json!({"for_ms": 10, "set": {"succes_rate": 0}}),
            "schedule.stages[0].set.succes_rate",
        ),
        (
            json!({"for_ms": 10, "set": {"success_rate": 2}}),
            "schedule.stages[0].set.success_rate",
        ),
        (json!({"for_ms": 0}), "schedule.stages[0].for_ms"),
        (
            json!({"for_ms": 10, "set": {"seed": 1}}),
            "schedule.stages[0].set.seed",
        ),
        (
            json!({"for_ms": 10, "ramps": [{"parameter": "seed", "from": 0, "to": 1}]}),
            "schedule.stages[0].ramps[0].parameter",
        ),
        (
            json!({"for_ms": 10, "repeat": {"every_ms": 5, "times": 2}}),
            "schedule.stages[0].repeat.every_ms",
        ),
        (
            json!({"for_ms": 10, "repeat": {"every_ms": 10, "times": 4_000_000}}),
            "schedule.stages",
        ),
        (
            json!({"for_ms": 10, "ramps": [{"parameter": "latency.bogus", "from": 0, "to": 1}]}),
            "schedule.stages[0].set.latency",
        ),
        (
            json!({"for_ms": 10, "ramps": [{"parameter": "latency", "from": 0, "to": 1}]}),
            "schedule.stages[0].set.latency",
        ),
    ] {
        let profile: Profile =
            serde_json::from_value(json!({"schedule": {"stages": [stage]}})).expect("parses");
        let invalid = Timeline::compile(&profile).expect_err("is refused");
        assert!(
            invalid.errors[0].path.starts_with(path),
            "{path}: {invalid}"
        );
    }
}

#[test]
fn costs_grow_with_characters_and_items() {
    let model = model(json!({"cost": {"per_char_us": 2, "per_item_ms": 3}}));
    let request = Request {
        tenant: "t",
        key: Key::Index(1),
        attempt: 1,
        index: 1,
        chars: 500,
        items: 5,
        at: Duration::ZERO,
    };
    assert_eq!(
        model.decide(&request).latency,
        Duration::from_millis(1 + 12)
    );
}
