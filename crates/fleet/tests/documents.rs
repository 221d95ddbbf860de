//! The shipped fleet is the one described in the document on detectors (`cargo xtask seeds`).

use std::path::Path;

use serde_json::{Value, json};

fn shipped() -> fleet::Fleet {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../detectors.yaml"));
    fleet::load(Some(path), &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn profile(kind: &str) -> Value {
    let fleet = shipped();
    let detector = &fleet.detectors[&format!("mock-detector-{kind}")];
    serde_json::to_value(&detector.mock).expect("a profile is JSON")
}

fn capabilities(kind: &str) -> Vec<String> {
    shipped().detectors[&format!("mock-detector-{kind}")]
        .capabilities
        .clone()
}

fn check(kind: &str, success_rate: f64, [min_ms, max_ms]: [f64; 2]) {
    let profile = profile(kind);
    assert_eq!(profile["success_rate"], success_rate, "{kind}");
    let uniform = &profile["latency"]["uniform"];
    let number = |key: &str| uniform[key].as_f64();
    assert_eq!(
        (number("min_ms"), number("max_ms")),
        (Some(min_ms), Some(max_ms)),
        "{kind}"
    );
}

/// DET-21..25: success rates, response times and capabilities of the five mocks. DET-20: the range of all.
#[test]
fn the_five_mocks_have_their_profiles() {
    check("success", 1.0, [200.0, 500.0]);
    check("variable", 0.98, [100.0, 2000.0]);
    check("failing", 0.7, [200.0, 800.0]);
    check("timeout", 0.95, [500.0, 1500.0]);
    check("batch", 0.95, [200.0, 1000.0]);
    let failures = &profile("timeout")["failures"];
    assert_eq!(
        failures[0]["kind"],
        json!({ "timeout": { "after_ms": 30_000.0 } }),
        "{failures}"
    );
    assert_eq!(capabilities("success").len(), 6, "all of them");
    for (kind, capability) in [
        ("variable", "code_analysis"),
        ("failing", "content_moderation"),
        ("timeout", "deep_analysis"),
        ("batch", "bulk_analysis"),
    ] {
        assert!(
            capabilities(kind).contains(&capability.to_owned()),
            "{kind}"
        );
    }
}

/// DET-12, DET-13, DET-14, DET-33: the keys of the configuration, and that each can be set.
#[test]
fn the_configuration_has_the_documents_keys() {
    let fleet = shipped();
    assert_eq!(fleet.service.port, 8000);
    assert_eq!(fleet.orchestration.default_timeout_ms, 5000);
    assert_eq!(fleet.performance_targets.p95_response_time_ms, 2000);
    assert_eq!(fleet.performance_targets.success_rate, 0.95);
    assert_eq!(fleet.performance_targets.throughput_rps, 100.0);
    let detector = &fleet.detectors["mock-detector-success"];
    assert!(detector.endpoint.ends_with(":8001/detect"));
    assert_eq!((detector.timeout_ms, detector.max_retries), (Some(5000), 3));
    let set = |key: &str, value: Value| {
        fleet::load(None, &[(key.to_owned(), value)]).unwrap_or_else(|error| panic!("{error}"))
    };
    assert_eq!(set("service.workers", json!(4)).service.workers, 4);
    assert_eq!(
        set("service.host", json!("0.0.0.0"))
            .service
            .host
            .to_string(),
        "0.0.0.0"
    );
    let slower = set("orchestration.default_timeout_ms", json!(10_000));
    assert_eq!(slower.orchestration.default_timeout_ms, 10_000);
}

/// DET-04: detectors on 8001 to 8005, each with a path for its health.
#[test]
fn detectors_have_their_ports_and_health() {
    let fleet = shipped();
    for (place, detector) in fleet.detectors.values().enumerate() {
        let port = detector.authority().map(|(_, port)| usize::from(port));
        assert_eq!(port, Some(8001 + place));
        assert_eq!(detector.health_check_path, "/health");
    }
}

/// A shadow has no effect on decisions, so it cannot be required.
#[test]
fn a_shadow_cannot_be_required() {
    let load = |required: bool, shadow_of: Value| {
        let detector = |key: &str| format!("detectors.mock-detector-batch.{key}");
        let overrides = [
            (detector("required"), json!(required)),
            (detector("shadow_of"), shadow_of),
        ];
        fleet::load(None, &overrides)
    };
    let live = json!("mock-detector-success");
    let error = load(true, live.clone()).expect_err("a required shadow");
    let text = error.to_string();
    assert!(
        text.contains("detectors.mock-detector-batch.required"),
        "{text}"
    );
    assert!(load(false, live).is_ok() && load(true, Value::Null).is_ok());
}
