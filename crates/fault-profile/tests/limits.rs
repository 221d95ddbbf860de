//! Every value out of its limits is reported with its path.

use fault_profile::Latency;
use fault_profile::rate_limit::RateLimit;
use serde_json::{Value, json};

fn check(part: &str, value: Value, expected: &[&str]) {
    let mut faults = Vec::new();
    match part {
        "latency" => serde_json::from_value::<Latency>(value)
            .expect("a latency")
            .validate(&mut faults),
        _ => serde_json::from_value::<RateLimit>(value)
            .expect("a rate limit")
            .validate(&mut faults),
    }
    let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, expected, "{faults:?}");
}

#[test]
fn a_part_alone_reports_all_its_faults_relative_to_itself() {
    check("latency", json!({"constant": {"ms": 5}}), &[]);
    check(
        "latency",
        json!({"mixture": {"parts": [
            {"weight": 0, "latency": {"uniform": {"min_ms": 2, "max_ms": 1}}},
            {"weight": 1, "latency": {"exponential": {"mean_ms": -1}}},
        ]}}),
        &[
            "mixture.parts[0].weight",
            "mixture.parts[0].latency.uniform.max_ms",
            "mixture.parts[1].latency.exponential.mean_ms",
        ],
    );
    check("rate_limit", json!({"rate_per_s": 1, "burst": 3}), &[]);
    check(
        "rate_limit",
        json!({"rate_per_s": 0, "burst": 0}),
        &["rate_per_s", "burst"],
    );
}
