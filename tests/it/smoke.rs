//! `sparring test smoke`: the whole loop, as the README's first command runs it.

use std::path::Path;

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::suite_runs::{assert_ends, json, passed};

/// Five detectors would only make the test slower; one fast detector is enough.
fn fleet(success_rate: f64) -> String {
    format!(
        "orchestration: {{ auth: {{ mode: 'off' }} }}\ndetectors:\n  one:\n    endpoint: 'http://localhost:0/detect'\n    max_retries: 0\n    \
         mock: {{ success_rate: {success_rate}, latency: {{ uniform: {{ min_ms: 5, max_ms: 20 }} }} }}\n"
    )
}

fn smoke(folder: &Path, success_rate: f64) -> Ended {
    let config = folder.join("detectors.yaml");
    std::fs::write(&config, fleet(success_rate)).expect("the folder is writable");
    let output = sparring()
        .args(["test", "smoke", "--config"])
        .arg(&config)
        .args(["--results"])
        .arg(folder.join("results"))
        .env("K6_SMOKE_VUS", "3")
        .env("K6_SMOKE_DURATION", "4s")
        .current_dir(folder)
        .output();
    Ended::from(output.expect("the binary was built for this test"))
}

/// The record of the only run.
fn record(folder: &Path) -> Value {
    let results = std::fs::read_dir(folder.join("results")).expect("the folder was made");
    let mut folders = results.map(|entry| entry.expect("readable").path());
    let run = folders.find(|path| path.is_dir()).expect("a run");
    json(&run.join("report.json"))
}

fn report(folder: &Path) -> Value {
    let results = std::fs::read_dir(folder.join("results")).expect("the folder was made");
    let files: Vec<_> = results
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_file())
        .collect();
    let [file] = files.as_slice() else {
        panic!("one report was expected: {files:?}")
    };
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    assert!(
        name.starts_with("performance_test_results_") && name.ends_with("Z.json"),
        "{name}"
    );
    serde_json::from_str(&std::fs::read_to_string(file).expect("readable")).expect("JSON")
}

/// DET-29, DET-37: smoke, then the report, as in CI.
#[test]
fn a_sound_stack_passes_and_leaves_a_report() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ended = smoke(folder.path(), 1.0);
    passed(&ended, &record(folder.path()));
    let stdout = &ended.stdout;
    for expected in [
        "held     orchestrate_duration",
        "http_req_duration",
        "checks",
    ] {
        assert!(stdout.contains(expected), "no {expected:?} in {stdout}");
    }
    let report = report(folder.path());
    let (count, status) = match ended.code {
        Some(0) => (1, "success"),
        _ => (0, "failed"),
    };
    assert_eq!(report["summary"]["passed"], count);
    assert_eq!(report["results"]["smoke"]["status"], status);
    let measured = &report["results"]["smoke"]["k6_result"]["metrics"];
    assert!(
        measured["iterations"]["values"]["count"].as_f64() > Some(0.0),
        "{measured}"
    );
    report_again(folder.path(), ended.code);
    // N-01: the shipped script does not print the count of its trends, and every percentile is still judged.
    let record = record(folder.path());
    let judgements = record["tests"][0]["judgements"]
        .as_array()
        .expect("judgements");
    let of_trends = judgements
        .iter()
        .filter(|it| it["asked"].to_string().contains("p("));
    for judgement in of_trends.clone() {
        assert!(judgement["proved"].is_boolean(), "{judgement}");
    }
    assert!(of_trends.count() > 0, "{judgements:?}");
}

/// DET-29: `--report-only > performance_report.json`, in the form of the document.
fn report_again(folder: &Path, code: Option<i32>) {
    let output = sparring()
        .args(["test", "--report-only", "--config"])
        .arg(folder.join("detectors.yaml"))
        .current_dir(folder)
        .output();
    let again = Ended::from(output.expect("the binary was built for this test"));
    assert_eq!(again.code, code, "{}", again.stderr);
    let report: Value = serde_json::from_str(&again.stdout).expect("JSON alone");
    assert_eq!(report["test_suite"], "detector_orchestration_performance");
    assert_eq!(report["summary"]["total_tests"], 1);
    let folders = std::fs::read_dir(folder.join("results")).expect("readable");
    let mut folders = folders.map(|entry| entry.expect("readable").path());
    let run = folders.find(|path| path.is_dir()).expect("a run");
    let files = std::fs::read_dir(run).expect("readable");
    let mut files = files.map(|entry| entry.expect("readable").path());
    let view = files.find(|path| path.to_string_lossy().contains("performance_test_results_"));
    let written = std::fs::read_to_string(view.expect("the view")).expect("readable");
    assert_eq!(again.stdout, written);
}

#[test]
fn a_crossed_threshold_is_exit_code_99_and_a_failed_verdict() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ended = smoke(folder.path(), 0.0);
    assert_ends(&ended, &record(folder.path())["tests"][0], 99);
    let stdout = &ended.stdout;
    let word = match ended.code {
        Some(99) => "FAILED",
        _ => "NOT TO BE TRUSTED",
    };
    assert!(stdout.contains(&format!("verdict: {word}")), "{stdout}");
    assert!(stdout.contains("CROSSED  orchestrate_success"), "{stdout}");
    assert_eq!(
        report(folder.path())["results"]["smoke"]["status"],
        "failed"
    );
}

#[test]
fn a_given_service_is_tested_instead_of_starting_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let up = crate::stack::Up::start(&fleet(1.0));
    let output = sparring()
        .args(["test", "smoke", "--results"])
        .arg(folder.path().join("results"))
        .env("K6_SMOKE_VUS", "2")
        .env("K6_SMOKE_DURATION", "3s")
        .env("PERF_BASE_URL", up.url("orchestrator"))
        .output();
    let ended = Ended::from(output.expect("the binary was built for this test"));
    passed(&ended, &record(folder.path()));
    let answered = up.metrics().lines().any(|line| {
        line.starts_with("orchestrate_requests_total{") && line.contains("tenant=\"perf-tenant\"")
    });
    assert!(
        answered,
        "the given service was not asked:\n{}",
        up.metrics()
    );
}
