//! `--prometheus`: the values of a Prometheus are shown next to the run's own figures (A360-14, S-21).
//!
//! The real one is used if it is on the path; with `REQUIRE_PROMETHEUS` it is required.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::binary::{Ended, sparring};
use crate::receiver::Receiver;
use crate::suite_ends::wait_for;
use crate::suite_runs::passed;

fn report(results: &Path) -> Value {
    let mut runs = std::fs::read_dir(results).expect("made").flatten();
    let run = runs.find(|entry| entry.path().is_dir()).expect("a run");
    let text = std::fs::read_to_string(run.path().join("report.json")).expect("written");
    serde_json::from_str(&text).expect("JSON")
}

fn test(arguments: &[&str], results: &Path) -> Ended {
    let output = sparring()
        .args(["test", "acis", "smoke", "--time-scale"])
        .args(arguments)
        .arg("--results")
        .arg(results)
        .output();
    Ended::from(output.expect("the binary was built for this test"))
}

fn figure<'a>(asked: &'a Value, name: &str) -> &'a Value {
    let figures = asked["figures"].as_array().expect("figures");
    let found = figures.iter().find(|figure| figure["figure"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {asked}"))
}

#[test]
fn a360_14_values_of_prometheus_are_compared_and_change_nothing() {
    let prometheus = Receiver::new(|request| {
        let value = |value: &str| json!({ "resultType": "vector", "result": [{ "metric": {}, "value": [1, value] }] });
        let data = match &request.target {
            target if target.contains("cpu_busy") => value("1.5"),
            target if target.contains("requests_total") => value("1000000"),
            _ => json!({ "resultType": "vector", "result": [] }),
        };
        (
            200,
            json!({ "status": "success", "data": data }).to_string(),
        )
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ended = test(&["0.05", "--prometheus", &prometheus.url], folder.path());
    let report = report(folder.path());
    passed(&ended, &report);
    let test = &report["tests"][0];
    let asked = &test["analysis"]["prometheus"];
    let cores = figure(asked, "cpu_cores");
    assert_eq!(cores["prometheus"], 1.5);
    assert_eq!(cores["own_source"], "simulated");
    assert!(
        cores["own"].as_f64().is_some_and(|own| own < 1.5),
        "{cores}"
    );
    assert_eq!(figure(asked, "memory_bytes")["prometheus"], Value::Null);
    assert!(figure(asked, "requests_per_s")["own"].as_f64() > Some(0.0));
    // The run's figures remain its own, whatever Prometheus reports; the difference is reported as doubtful.
    assert!(test["figures"]["requests_per_s"].as_f64() < Some(1000.0));
    let ledger = test["ledger"].as_array().expect("a ledger");
    let entry = ledger.iter().find(|entry| entry["what"] == "prometheus");
    assert_eq!(
        entry.expect("an entry")["conclusion"],
        "suspect",
        "{ledger:?}"
    );
    let queries = prometheus.received();
    assert!(
        queries
            .iter()
            .all(|it| it.target.starts_with("/api/v1/query?query=")),
        "{queries:?}"
    );
    assert!(
        queries.iter().any(|it| it.target.contains("127.0.0.1")),
        "the target's instance"
    );
}

#[test]
fn a_prometheus_that_is_none_is_named_before_anything_runs() {
    let other = Receiver::new(|_| (404, "not here".to_owned()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let results = folder.path().join("results");
    let ended = test(&["0.05", "--prometheus", &other.url], &results);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("does not respond as Prometheus"),
        "{}",
        ended.stderr
    );
    let ended = test(&["0.05", "--prometheus", "nowhere"], &results);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(!results.exists());
}

/// A child process that is killed when it is dropped.
pub struct Daemon(pub Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The place of Prometheus.
pub fn program() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = std::env::split_paths(&folders).map(|folder| folder.join("prometheus"));
    let found = programs.find(|path| path.is_file());
    if found.is_none() {
        let how = "no `prometheus` is on the path";
        assert!(std::env::var_os("REQUIRE_PROMETHEUS").is_none(), "{how}");
        eprintln!("skipped: {how}");
    }
    found
}

pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

pub fn get(url: &str) -> Option<String> {
    ureq::get(url).call().ok()?.body_mut().read_to_string().ok()
}

/// The real one scrapes a simulated system every second, and counts as many requests as were sent.
#[test]
fn the_real_prometheus_agrees_about_the_rate() {
    let Some(program) = program() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (target_port, port) = (free_port(), free_port());
    let config = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: acis\n    static_configs: [{{ targets: ['127.0.0.1:{target_port}'] }}]\n"
    );
    let path = folder.path().join("prometheus.yml");
    std::fs::write(&path, config).expect("writable");
    let target = sparring()
        .args([
            "target",
            "acis",
            "--quiet",
            "--port",
            &target_port.to_string(),
        ])
        .stdout(Stdio::null())
        .spawn();
    let _target = Daemon(target.expect("the binary was built for this test"));
    let prometheus = Command::new(program)
        .arg(format!("--config.file={}", path.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _prometheus = Daemon(prometheus.expect("it can be executed"));
    let url = format!("http://127.0.0.1:{port}");
    let up = format!("{url}/api/v1/query?query=up%7Bjob%3D%22acis%22%7D%3D%3D1");
    let is_scraped = || get(&up).is_some_and(|text| text.contains("acis"));
    wait_for(is_scraped, "a scrape");
    let results = folder.path().join("results");
    let base_url = format!("http://127.0.0.1:{target_port}");
    let ended = test(
        &["0.5", "--base-url", &base_url, "--prometheus", &url],
        &results,
    );
    let report = report(&results);
    passed(&ended, &report);
    let asked = &report["tests"][0]["analysis"]["prometheus"];
    let rate = figure(asked, "requests_per_s");
    let apart = rate["apart"].as_f64().unwrap_or_else(|| panic!("{asked}"));
    // Half a minute, in steps of a second.
    assert!(apart.abs() < 0.25, "{rate}");
    assert!(
        figure(asked, "memory_bytes")["prometheus"].as_f64() > Some(0.0),
        "{asked}"
    );
}
