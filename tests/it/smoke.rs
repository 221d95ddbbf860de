//! `sparring test smoke`: the whole loop, as the README's first command runs it.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::binary::sparring;

/// Five detectors would only make the test slower; one fast one shows the loop.
fn fleet(success_rate: f64) -> String {
    format!(
        "orchestration: {{ auth: {{ mode: 'off' }} }}\ndetectors:\n  one:\n    endpoint: 'http://localhost:0/detect'\n    max_retries: 0\n    \
         mock: {{ success_rate: {success_rate}, latency: {{ uniform: {{ min_ms: 5, max_ms: 20 }} }} }}\n"
    )
}

fn smoke(folder: &Path, success_rate: f64) -> Output {
    let config = folder.join("detectors.yaml");
    std::fs::write(&config, fleet(success_rate)).expect("the folder is writable");
    sparring()
        .args(["test", "smoke", "--config"])
        .arg(&config)
        .args(["--results"])
        .arg(folder.join("results"))
        .env("K6_SMOKE_VUS", "3")
        .env("K6_SMOKE_DURATION", "4s")
        .current_dir(folder)
        .output()
        .expect("the binary was built for this test")
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

#[test]
fn a_sound_stack_passes_and_leaves_a_report() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = smoke(folder.path(), 1.0);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stdout}\n{stderr}");
    for expected in [
        "verdict: PASSED",
        "held     orchestrate_duration",
        "http_req_duration",
        "checks",
    ] {
        assert!(stdout.contains(expected), "no {expected:?} in {stdout}");
    }
    let report = report(folder.path());
    assert_eq!(report["summary"]["passed"], 1);
    assert_eq!(report["results"]["smoke"]["status"], "success");
    let measured = &report["results"]["smoke"]["k6_result"]["metrics"];
    assert!(
        measured["iterations"]["values"]["count"].as_f64() > Some(0.0),
        "{measured}"
    );
}

#[test]
fn a_crossed_threshold_is_exit_code_99_and_a_failed_verdict() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = smoke(folder.path(), 0.0);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(99), "{stdout}");
    assert!(stdout.contains("verdict: FAILED"), "{stdout}");
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
        .output()
        .expect("the binary was built for this test");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let answered = up.metrics().lines().any(|line| {
        line.starts_with("orchestrate_requests_total{") && line.contains("tenant=\"perf-tenant\"")
    });
    assert!(
        answered,
        "the given service was not asked:\n{}",
        up.metrics()
    );
}
