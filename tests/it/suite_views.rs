//! Each system's own view: its schema or its headings, and identical bytes from the record alone (G-09, R-24, DET-29).

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::suite_runs::{Bench, json};

/// A system, the schema of its view and the beginning of that view's name; without a schema, the headings in their order.
struct Row {
    system: &'static str,
    view: &'static str,
    schema: Option<&'static str>,
    headings: &'static [&'static str],
}

const ROWS: [Row; 6] = [
    Row {
        system: "orchestrator",
        view: "performance_test_results_",
        schema: Some("view-detectors.schema.json"),
        headings: &[],
    },
    Row {
        system: "acso",
        view: "performance_results.json",
        schema: Some("view-acso.schema.json"),
        headings: &[],
    },
    Row {
        system: "aiaas",
        view: "aiaas.json",
        schema: Some("view-aiaas.schema.json"),
        headings: &[],
    },
    Row {
        system: "agent360",
        view: "load_test_results.json",
        schema: Some("view-agent360.schema.json"),
        headings: &[],
    },
    Row {
        system: "agent360",
        view: "load_test_report.md",
        schema: None,
        headings: &[
            "# Load Test Report",
            "## Summary",
            "- Test Duration:",
            "- Total Requests:",
            "- Error Rate:",
            "## Performance Metrics",
            "- Response Time (P95):",
            "- Response Time (P99):",
            "- Average RPS:",
            "- Peak RPS:",
            "## Resource Usage",
            "- Average CPU:",
            "- Peak Memory:",
            "## Recommendations",
        ],
    },
    Row {
        system: "acis",
        view: "acis.txt",
        schema: None,
        headings: &[
            "# reqs",
            "Avg",
            "Min",
            "Max",
            "Med",
            "95%",
            "99%",
            "# fails",
            "Req/s",
            "Failure %",
            "50%",
            "66%",
            "100%",
        ],
    },
];

fn schema(name: &str) -> Value {
    json(&Path::new("../../docs/schemas").join(name))
}

/// The file of a run whose name has this beginning.
fn file(folder: &Path, name: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder).expect("readable");
    let mut paths = entries.map(|entry| entry.expect("readable").path());
    let found = paths.find(|path| {
        let own = path.file_name().unwrap_or_default().to_string_lossy();
        own.starts_with(name)
    });
    found.unwrap_or_else(|| panic!("no {name} in {}", folder.display()))
}

fn keeps_to(schema: &Value, view: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).expect("a sound schema");
    let errors = validator.iter_errors(view);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Every file that the run wrote of its record is written again from the record alone, byte for byte.
fn writes_again(folder: &Path, formats: &str) {
    let again = tempfile::tempdir().expect("a temporary folder");
    let output = sparring()
        .arg("report")
        .arg(folder)
        .args(["--format", formats, "--output"])
        .arg(again.path())
        .output();
    let ended = Ended::from(output.expect("the binary was built for this test"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut files = 0;
    for entry in std::fs::read_dir(again.path()).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name");
        let (new, old) = (std::fs::read(&path), std::fs::read(folder.join(name)));
        assert!(
            new.expect("readable") == old.expect("the run wrote it"),
            "{}",
            path.display()
        );
        files += 1;
    }
    assert!(
        files >= formats.split(',').count(),
        "{formats}: {files} files"
    );
}

/// G-09, R-24, DET-29.
#[test]
fn each_view_keeps_to_its_schema_and_is_the_same_again() {
    for row in &ROWS {
        let Row { system, view, .. } = row;
        let bench = Bench::new();
        let ended = bench.run(&[system, "smoke", "--time-scale", "0.05"]);
        let folder = bench.run_folder();
        let path = file(&folder, view);
        let text = std::fs::read_to_string(&path).expect("readable");
        if let Some(name) = row.schema {
            let errors = keeps_to(&schema(name), &json(&path));
            assert!(errors.is_empty(), "{system}: {errors:#?}\n{}", ended.stderr);
        }
        let mut rest = text.as_str();
        for heading in row.headings {
            let place = rest.find(heading);
            let place = place.unwrap_or_else(|| panic!("{system}: no {heading} in {rest}"));
            rest = &rest[place + heading.len()..];
        }
        let again = bench.run(&[system, "--report-only"]);
        assert_eq!(again.code, ended.code, "{system}: {}", again.stderr);
        // For Agent360 the document is the text; its figures are in a file beside it.
        if !view.starts_with("load_test_results") {
            assert!(again.stdout == text, "{system}: {view} is not the same");
        }
        let own = match *system {
            "orchestrator" => "detectors",
            other => other,
        };
        writes_again(&folder, &format!("{own},html,csv,junit"));
    }
}

/// The examples of the documents with one key renamed, missing or added are rejected, so that the schemas are not
/// trivial.
#[test]
fn a_view_with_another_key_is_refused() {
    let detectors = serde_json::json!({
        "test_suite": "detector_orchestration_performance", "timestamp": "2026-08-14T09:30:00Z",
        "summary": { "total_tests": 5, "passed": 4, "failed": 1, "success_rate": 0.8, "duration_seconds": 1800.5 },
        "results": { "smoke": { "status": "success", "k6_result": {}, "locust_result": null } },
    });
    let acso = serde_json::json!({
        "summary": { "total_operations": 100, "success_rate": 95.2, "avg_throughput": 45.0, "max_throughput": 67.0,
                     "avg_response_time": 1.25, "p95_response_time": 2.8 },
        "resource_utilization": { "avg_cpu_percent": 60.0, "max_cpu_percent": 80.0, "avg_memory_percent": 50.0,
                                  "max_memory_percent": null },
        "scalability_analysis": { "linear_scalability_score": 85.0, "max_stable_users": 750, "saturation_point": null },
        "recommendations": ["Add instances."],
        "kpis": { "throughput_efficiency": 0.9, "scalability_score": 85.0, "resource_efficiency": 10.0, "reliability_score": 0.99 },
    });
    let aiaas = serde_json::json!({
        "summary": { "latency": { "p50": 61.2, "p95": 90.0, "p99": 150.0, "avg": 65.0 },
                     "throughput": { "avg": 10.0, "max": 12.0, "min": 1.0 }, "error_rate": { "current": 0.0, "avg": 0.01 } },
        "alerts": [{ "type": "latency_p50_high", "message": "p50 latency 61.20ms exceeds 50ms threshold", "severity": "warning" }],
        "regression": { "regression": false, "message": "No baseline metrics available" },
    });
    let agent360 = serde_json::json!({
        "metrics": { "response_time_p95": 1.0, "response_time_p99": 1.5, "requests_per_second": 10.0, "error_rate": 0.0,
                     "cpu_usage": 75.0, "memory_usage": 50.0 },
        "response_times": { "median": 0.5, "p95": 1.0, "p99": 1.5 },
        "throughput": { "avg_rps": 10.0, "peak_rps": 15.0, "std_rps": 1.0 },
        "bottlenecks": [{ "type": "CPU", "severity": "high", "recommendation": "Scale up CPU resources" }],
        "results": [{ "timestamp": "2026-08-14T09:30:00Z", "response_time": 0.5, "throughput": 10, "errors": 0,
                      "resources": { "cpu": 70.0, "memory": 40.0 } }],
        "percentile_method": "nearest rank",
    });
    for (name, sound, key) in [
        (
            "view-detectors.schema.json",
            detectors,
            "/summary/success_rate",
        ),
        (
            "view-acso.schema.json",
            acso,
            "/scalability_analysis/saturation_point",
        ),
        ("view-aiaas.schema.json", aiaas, "/summary/latency/p95"),
        ("view-agent360.schema.json", agent360, "/throughput/std_rps"),
    ] {
        let schema = schema(name);
        assert_eq!(keeps_to(&schema, &sound), Vec::<String>::new(), "{name}");
        let (parent, last) = key.rsplit_once('/').expect("a path");
        let change = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
            let mut other = sound.clone();
            let parent = other.pointer_mut(parent).and_then(Value::as_object_mut);
            change(parent.expect("an object"));
            keeps_to(&schema, &other)
        };
        let missing = change(&|parent| drop(parent.remove(last)));
        let added = change(&|parent| drop(parent.insert("more".to_owned(), 1.into())));
        let text = change(&|parent| drop(parent.insert(last.to_owned(), "1".into())));
        for (what, errors) in [("missing", missing), ("added", added), ("a text", text)] {
            assert!(!errors.is_empty(), "{name}: {key} {what}");
        }
    }
}
