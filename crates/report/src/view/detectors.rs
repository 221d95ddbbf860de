//! `performance_test_results_<UTC>.json` of the detector orchestration.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::record::{Outcome, RunRecord, TestRecord};

/// A test with several parts or cells is one entry, with its parts in `parts`; it succeeded if all did.
pub fn detectors(run: &RunRecord) -> Value {
    let mut by_name: IndexMap<&str, Vec<&TestRecord>> = IndexMap::new();
    for test in &run.tests {
        by_name.entry(&test.name).or_default().push(test);
    }
    let succeeded =
        |tests: &[&TestRecord]| tests.iter().all(|test| test.outcome == Outcome::Passed);
    let passed = by_name.values().filter(|tests| succeeded(tests)).count();
    let total = by_name.len();
    let results: Map<String, Value> = by_name
        .iter()
        .map(|(name, tests)| ((*name).to_owned(), result(tests, succeeded(tests))))
        .collect();
    json!({
        "test_suite": "detector_orchestration_performance",
        "timestamp": run.began,
        "summary": {
            "total_tests": total,
            "passed": passed,
            "failed": total - passed,
            "success_rate": (total > 0).then(|| passed as f64 / total as f64),
            "duration_seconds": run.duration_s,
        },
        "results": results,
    })
}

fn result(tests: &[&TestRecord], succeeded: bool) -> Value {
    let status = |succeeded| if succeeded { "success" } else { "failed" };
    let locust = tests.iter().find_map(|test| test.locust_result.clone());
    let mut result = json!({
        "status": status(succeeded),
        "k6_result": tests.first().map(|test| &test.k6_summary),
        "locust_result": locust,
    });
    if tests.len() > 1 {
        let parts: Map<String, Value> = tests
            .iter()
            .map(|test| {
                let part = json!({
                    "status": status(test.outcome == Outcome::Passed),
                    "k6_result": test.k6_summary,
                });
                (test.title(), part)
            })
            .collect();
        result["parts"] = Value::Object(parts);
    }
    result
}
