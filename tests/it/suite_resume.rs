//! An interrupted soak continues with `--resume RUN`, and the report states the gap (S-19).

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::receiver::Receiver;
use crate::suite_runs::passed;

/// The time limit of all waits, longer than any of them takes.
const PATIENCE: Duration = Duration::from_secs(90);

const SUITE: &str = "
suite: own
system: lab
default: [soak]
all: [first, soak]
classes:
  User: { script: own.js, exec: user, wait_s: [0.1, 0.1] }
tests:
  first:
    about: Comes to its end before.
    model: closed
    users: [User]
    phases: [{ ramp: { to: 1 } }, { steady: { for: 20s } }]
    judge: { checks: 1.0 }
  soak:
    about: Long enough to be interrupted.
    model: closed
    users: [User]
    phases: [{ ramp: { to: 2, at_per_s: 0.1 } }, { steady: { for: 280s } }]
    judge: { checks: 1.0 }
";

const SCRIPT: &str = "
import http from 'k6/http';
import { check, sleep } from 'k6';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
export function user() {
  check(http.get(`${__ENV.PERF_BASE_URL}/own`), { answered: (r) => r.status === 200 });
  sleep(0.1);
}
";

struct Bench {
    folder: tempfile::TempDir,
    service: Receiver,
}

/// A child process that is killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("own.yaml"), SUITE).expect("writable");
        std::fs::write(folder.path().join("own.js"), SCRIPT).expect("writable");
        let service = Receiver::new(|_| (200, "{}".to_owned()));
        Self { folder, service }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = sparring();
        command
            .arg("test")
            .args(arguments)
            .current_dir(self.folder.path());
        command
    }

    /// Starts the suite, and waits until the soak has measured for some time.
    fn begun(&self, tests: &[&str]) -> Running {
        let url = &self.service.url;
        let arguments = [
            &["own.yaml", "--time-scale", "0.05"],
            tests,
            &["--base-url", url, "--results", "results"],
        ]
        .concat();
        let child = self
            .command(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let running = Running(child.expect("the binary was built for this test"));
        let begun = Instant::now();
        // Lines of seconds of a steady phase.
        while self.journal().matches("\"measured\":{\"second\":").count() < 4 {
            assert!(begun.elapsed() < PATIENCE, "no journal: {}", self.journal());
            std::thread::sleep(Duration::from_millis(50));
        }
        running
    }

    fn run_folder(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("results")).ok()?;
        let mut folders = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_dir());
        folders.next()
    }

    fn journal(&self) -> String {
        let path = self.run_folder().map(|run| run.join("resume.jsonl"));
        path.and_then(|path| std::fs::read_to_string(path).ok())
            .unwrap_or_default()
    }

    fn resume(&self, arguments: &[&str]) -> Ended {
        let run = self.run_folder().expect("a run").display().to_string();
        let arguments = [&["--resume", &run], arguments].concat();
        let output = self.command(&arguments).output();
        Ended::from(output.expect("the binary was built for this test"))
    }

    fn report(&self) -> Value {
        let path = self.run_folder().expect("a run").join("report.json");
        let text = std::fs::read_to_string(path).expect("written");
        serde_json::from_str(&text).expect("JSON")
    }
}

/// Checks a resumed soak, wherever it was interrupted.
fn check(bench: &Bench, test: &Value) {
    let run = bench.run_folder().expect("a run");
    assert_eq!(test["complete"], true, "{}", test["reasons"]);
    let phases = test["phases"].as_array().expect("phases");
    let names: Vec<&str> = phases
        .iter()
        .filter_map(|phase| phase["name"].as_str())
        .collect();
    assert_eq!(
        names,
        ["ramp 1", "steady 2", "back to 2", "steady 2, part 2"]
    );
    let steady = |name: &str| {
        let phase = phases
            .iter()
            .find(|phase| phase["name"] == name)
            .expect("a phase");
        phase["end_s"].as_f64().expect("an end") - phase["begin_s"].as_f64().expect("a begin")
    };
    let both = steady("steady 2") + steady("steady 2, part 2");
    assert!(
        (both - 14.0).abs() < 1.5,
        "the plan's 14 s in two parts, not {both}"
    );
    let requests = test["figures"]["requests"].as_u64().expect("a count");
    let in_phases: u64 = phases
        .iter()
        .filter_map(|phase| phase["figures"]["requests"].as_u64())
        .sum();
    assert!(in_phases <= requests);
    for phase in phases {
        assert!(phase["figures"]["requests"].as_u64() > Some(0), "{phase}");
    }
    let gap = &test["analysis"]["resumed"][0];
    assert!(gap["gap_s"].as_f64() > Some(0.0), "{gap}");
    let ledger = test["ledger"].as_array().expect("a ledger");
    let entry = ledger
        .iter()
        .find(|entry| entry["what"] == "gap")
        .expect("a gap");
    assert!(
        entry["text"]
            .as_str()
            .is_some_and(|text| text.contains("resumed")),
        "{entry}"
    );
    let events = test["observed"]["events"].as_array().expect("events");
    assert!(
        events.iter().any(|event| event["kind"] == "interrupted"),
        "{events:?}"
    );
    assert!(!run.join("resume.jsonl").exists(), "the test completed");
    let page = std::fs::read_to_string(run.join("samples.csv")).expect("written");
    let sampled: u64 = page
        .lines()
        .filter(|line| line.starts_with("soak,"))
        .filter_map(|line| line.split(',').nth(7)?.parse::<u64>().ok())
        .sum();
    assert_eq!(sampled, requests, "samples of both parts, each once");
}

/// The process is killed, so that it writes nothing at the end.
#[test]
fn s_19_a_soak_that_was_killed_goes_on_and_the_report_says_the_gap() {
    let bench = Bench::new();
    let mut running = bench.begun(&["soak"]);
    running.0.kill().expect("it runs");
    running.0.wait().expect("it ends");
    let ended = bench.resume(&["load"]);
    assert_eq!(
        ended.code,
        Some(2),
        "other tests are not its: {}",
        ended.stderr
    );
    let ended = bench.resume(&["-q"]);
    let report = bench.report();
    passed(&ended, &report);
    assert_eq!(report["complete"], true);
    check(&bench, &report["tests"][0]);
    let verified = sparring()
        .arg("verify")
        .arg(bench.run_folder().expect("a run"))
        .output();
    let verified = Ended::from(verified.expect("the binary was built for this test"));
    assert_eq!(
        verified.code,
        Some(0),
        "{}{}",
        verified.stdout,
        verified.stderr
    );
    let again = bench.resume(&[]);
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    assert!(
        again.stderr.contains("nothing is left to run"),
        "{}",
        again.stderr
    );
}

/// Ctrl-C: the measurements are recorded, and the results of earlier tests remain.
#[test]
fn s_19_a_run_that_was_interrupted_keeps_its_finished_tests() {
    let bench = Bench::new();
    let mut running = bench.begun(&["all"]);
    let pid = i32::try_from(running.0.id()).expect("a pid");
    // SAFETY: kill(2) takes any pid; the child was not waited for, so its pid is its own.
    unsafe { libc::kill(pid, libc::SIGINT) };
    assert_eq!(running.0.wait().expect("it ends").code(), Some(105));
    let first = bench.report()["tests"][0].clone();
    let ended = bench.resume(&[]);
    let report = bench.report();
    passed(&ended, &report);
    assert_eq!(report["tests"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        report["tests"][0]["figures"], first["figures"],
        "it did not run again"
    );
    check(&bench, &report["tests"][1]);
}

#[test]
fn only_the_folder_of_a_run_of_this_plan_can_be_resumed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let resume = |path: &Path| {
        let output = sparring().args(["test", "--resume"]).arg(path).output();
        Ended::from(output.expect("the binary was built for this test"))
    };
    let ended = resume(folder.path());
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("command.json"), "{}", ended.stderr);
    let command = r#"{"arguments": ["acis", "soak"], "began": "2026-01-01T00:00:00Z"}"#;
    std::fs::write(folder.path().join("command.json"), command).expect("written");
    std::fs::write(folder.path().join("plan.json"), "{}").expect("written");
    let ended = resume(folder.path());
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("another plan"), "{}", ended.stderr);
}
