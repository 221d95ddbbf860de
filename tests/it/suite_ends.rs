//! However a suite's test ends, the system is restored, and the measurements are saved.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::sparring;
use crate::captor::Captor;
use crate::suite_runs::assert_ends;

/// The time limit of all waits, longer than any of them takes.
const PATIENCE: Duration = Duration::from_secs(60);

const SUITE: &str = "
suite: own
system: acis
default: [long]
all: [long]
classes:
  User: { script: own.js, exec: user, wait_s: [0.1, 0.1] }
tests:
  long:
    about: Longer than this test.
    model: closed
    users: [User]
    before: { set: { api: { cpu_cores: 1 } }, toggle: { indexes: false } }
    phases: [{ ramp: { to: 2 } }, { steady: { for: 600s } }]
    judge: { checks: 1.0 }
";

const SCRIPT: &str = "
import http from 'k6/http';
import { check, sleep } from 'k6';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
export function user() {
  check(http.get(`${__ENV.PERF_BASE_URL}/api/clients?limit=1`), { answered: (r) => r.status === 200 });
  sleep(0.1);
}
";

/// A child with its standard output; killed when dropped.
pub struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Self::start_telling(command, Stdio::null())
    }

    /// The same, with its standard error elsewhere.
    pub fn start_telling(command: &mut Command, stderr: Stdio) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the binary was built for this test");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self { child, stdout }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The address that it prints first.
    pub fn url(&mut self) -> String {
        let line = self.read_until("http://");
        let mut words = line.split_whitespace();
        let url = words.find(|word| word.starts_with("http://"));
        url.expect("a URL").to_owned()
    }

    /// Reads up to a line that contains `text`, and returns the line.
    fn read_until(&mut self, text: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let bytes = self.stdout.read_line(&mut line).expect("text");
            assert!(bytes > 0, "it ended before it said {text:?}");
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        // SAFETY: kill(2) takes any pid; the child was not waited for, so its pid is its own.
        unsafe { libc::kill(pid, libc::SIGINT) };
    }

    pub fn code(&mut self) -> Option<i32> {
        self.child.wait().expect("it was started").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub fn get(url: &str) -> Value {
    let text = ureq::get(url)
        .call()
        .expect("it answers")
        .body_mut()
        .read_to_string()
        .expect("text");
    serde_json::from_str(&text).expect("JSON")
}

pub fn wait_for(mut condition: impl FnMut() -> bool, what: &str) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn newest_report(results: &Path) -> Value {
    let folder = std::fs::read_dir(results)
        .expect("made")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.is_dir());
    let text = std::fs::read_to_string(folder.expect("a run").join("report.json")).expect("kept");
    serde_json::from_str(&text).expect("JSON")
}

/// G-11, R-16: Ctrl-C while limits and toggles are set.
#[test]
fn ctrl_c_takes_back_what_was_set_and_keeps_what_was_measured() {
    let mut target = Running::start(sparring().args(["target", "acis", "--port", "0", "--quiet"]));
    let url = target.url();
    let before = get(&format!("{url}/__admin/profile"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("own.yaml"), SUITE).expect("writable");
    std::fs::write(folder.path().join("own.js"), SCRIPT).expect("writable");
    let results = folder.path().join("results");
    let mut test = Running::start(
        sparring()
            .args(["test", "own.yaml", "--base-url", &url, "--results"])
            .arg(&results)
            .current_dir(folder.path()),
    );
    let profile = || get(&format!("{url}/__admin/profile"));
    wait_for(
        || get(&format!("{url}/__admin/resources"))["succeeded"].as_u64() > Some(3),
        "load",
    );
    assert_ne!(profile(), before, "limits are set while the test runs");
    test.interrupt();
    assert_eq!(test.code(), Some(105));
    assert_eq!(profile(), before, "everything is reverted");
    assert_eq!(
        get(&format!("{url}/__admin"))["overlays"],
        Value::Array(Vec::new())
    );
    let report = newest_report(&results);
    assert_eq!(report["complete"], false);
    assert_eq!(report["outcome"], "interrupted");
    assert!(report["tests"][0]["figures"]["requests"].as_u64() > Some(0));
}

/// Runs a test against `acis` and interrupts it as soon as `is_there` returns true. Returns the target's own state
/// before and after.
fn interrupted(
    suite: &str,
    prepare: &[(&str, &str)],
    is_there: impl Fn(&str) -> bool,
) -> [Value; 2] {
    let mut target = Running::start(sparring().args(["target", "acis", "--port", "0", "--quiet"]));
    let url = target.url();
    for (path, body) in prepare {
        let sent = ureq::post(format!("{url}{path}")).send(*body);
        assert!(sent.is_ok(), "{path}: {sent:?}");
    }
    let shown = || {
        let stores = get(&format!("{url}/__admin/resources"))["stores"].take();
        let profile = get(&format!("{url}/__admin/profile"));
        let overlays = get(&format!("{url}/__admin"))["overlays"].take();
        serde_json::json!({ "stores": stores, "profile": profile, "overlays": overlays })
    };
    let before = shown();
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("own.yaml"), suite).expect("writable");
    std::fs::write(folder.path().join("own.js"), SCRIPT).expect("writable");
    let mut test = Running::start(
        sparring()
            .args([
                "test",
                "own.yaml",
                "--base-url",
                &url,
                "--results",
                "results",
                // The load before the first fault lasts 20 seconds otherwise.
                "--time-scale",
                "0.1",
            ])
            .current_dir(folder.path()),
    );
    wait_for(|| is_there(&url), "what is to be reverted");
    assert_ne!(shown(), before);
    test.interrupt();
    assert_eq!(test.code(), Some(105));
    [before, shown()]
}

/// G-11: rows that were added to a store are removed again, and earlier ones stay.
#[test]
fn ctrl_c_takes_populated_rows_away_and_no_others() {
    let suite = SUITE.replace(
        "before: { set: { api: { cpu_cores: 1 } }, toggle: { indexes: false } }",
        "before: { populate: { clients: 2000 } }",
    );
    assert_ne!(suite, SUITE);
    let own = [("/__admin/populate", r#"{"store": "clients", "rows": 7}"#)];
    let [before, after] = interrupted(&suite, &own, |url| {
        get(&format!("{url}/__admin/resources"))["succeeded"].as_u64() > Some(3)
    });
    assert!(
        before["stores"]["clients"]["rows"].as_u64() > Some(6),
        "{before}"
    );
    assert_eq!(after, before);
}

/// G-11, R-16: Ctrl-C in the middle of a fault.
#[test]
fn ctrl_c_takes_an_injected_fault_back() {
    let suite = SUITE
        .replace(
            "before: { set: { api: { cpu_cores: 1 } }, toggle: { indexes: false } }",
            "faults: { slow: { patch: { components: { postgres: { operations: { clients: { service_ms: 40 } } } } }, for: 500s, \
             probe: { route: GET /api/clients }, recover_within: 10s } }",
        )
        .replace("for: 600s", "for: 1h");
    let [before, after] = interrupted(&suite, &[], |url| {
        let overlays = get(&format!("{url}/__admin"))["overlays"].to_string();
        overlays.contains("sparring-fault")
    });
    assert_eq!(after, before);
}

/// A run that hangs in its teardown: the second Ctrl-C waits for nothing, reverts everything and saves the
/// measurements.
#[test]
fn a_second_ctrl_c_waits_for_nothing_and_keeps_what_was_measured() {
    let mut target = Running::start(sparring().args(["target", "acis", "--port", "0", "--quiet"]));
    let url = target.url();
    let before = get(&format!("{url}/__admin/profile"));
    let captor = Captor::answering(200, "{}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script =
        format!("{SCRIPT}export function teardown() {{ http.get(__ENV.TEARDOWN); sleep(300); }}\n");
    std::fs::write(folder.path().join("own.yaml"), SUITE).expect("writable");
    std::fs::write(folder.path().join("own.js"), script).expect("writable");
    let results = folder.path().join("results");
    let stderr = folder.path().join("stderr");
    let file = std::fs::File::create(&stderr).expect("writable");
    let mut test = Running::start_telling(
        sparring()
            .args(["test", "own.yaml", "--base-url", &url, "--results"])
            .arg(&results)
            .env("TEARDOWN", &captor.url)
            .current_dir(folder.path()),
        file.into(),
    );
    wait_for(
        || get(&format!("{url}/__admin/resources"))["succeeded"].as_u64() > Some(3),
        "load",
    );
    test.interrupt();
    wait_for(|| !captor.requests().is_empty(), "teardown");
    test.interrupt();
    assert_eq!(test.code(), Some(105));
    let said = std::fs::read_to_string(&stderr).expect("readable");
    assert!(
        said.contains("second signal: stopping without waiting"),
        "{said}"
    );
    assert_eq!(get(&format!("{url}/__admin/profile")), before);
    let report = newest_report(&results);
    assert_eq!(report["complete"], false);
    assert_eq!(report["outcome"], "interrupted");
    let why = report["incomplete_because"].as_str().unwrap_or_default();
    assert!(why.contains("interrupted twice"), "{why}");
    assert!(report["tests"][0]["figures"]["requests"].as_u64() > Some(0));
    let ledger = report["tests"][0]["ledger"].to_string();
    assert!(!ledger.contains("No iteration"), "{ledger}");
}

/// Two tests; the disk is full before the first one's record, or after it.
const SHORT: &str = "
suite: short
system: lab
default: [all]
all: [one, two]
classes:
  User: { script: short.js, exec: user, wait_s: [0, 0] }
tests:
  one: { about: First., model: closed, users: [User], samples: { iterations: 5 }, judge: { checks: 1.0 } }
  two: { about: Second., model: closed, users: [User], phases: [{ ramp: { to: 1 } }, { steady: { for: 3s } }], judge: { checks: 1.0 } }
";

/// Runs a shell in a mount namespace of its own, where `results` is a small disk; the arguments are the program's.
/// `None` if that is not permitted.
fn on_a_small_disk(folder: &Path, shell: &str, words: &[&str]) -> Option<crate::binary::Ended> {
    let permitted = Command::new("unshare").args(["-rm", "true"]).output();
    if !permitted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no mount namespace can be made here");
        return None;
    }
    std::fs::create_dir(folder.join("results")).expect("writable");
    let shell = format!("mount -t tmpfs -o size=1m tmpfs results || exit 77\n{shell}");
    let output = Command::new("unshare")
        .args([
            "-rm",
            "sh",
            "-c",
            &shell,
            env!("CARGO_BIN_EXE_sparring"),
            "test",
            "short.yaml",
        ])
        .args(words)
        .env("NO_COLOR", "1")
        .current_dir(folder)
        .output()
        .expect("unshare was just run");
    Some(output.into())
}

fn short() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("short.yaml"), SHORT).expect("writable");
    let script = SCRIPT.replace("/api/clients?limit=1", "/md1");
    std::fs::write(folder.path().join("short.js"), script).expect("writable");
    folder
}

#[test]
fn a_full_disk_is_noticed_before_anything_is_measured() {
    let folder = short();
    let shell = "cat /dev/zero >results/full 2>/dev/null\n\"$0\" \"$@\"";
    let Some(ended) = on_a_small_disk(folder.path(), shell, &["one"]) else {
        return;
    };
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended
            .stderr
            .contains("results cannot be written to results"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("no storage space"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stdout.contains("verdict"), "{}", ended.stdout);
}

#[test]
fn a_disk_that_fills_up_during_a_run_leaves_the_verdict_and_what_was_kept_by_then() {
    let folder = short();
    std::fs::create_dir(folder.path().join("kept")).expect("writable");
    let shell = "\"$0\" \"$@\" & run=$!
until grep -qs '\"name\": \"one\"' results/*/report.json || ! kill -0 $run; do sleep 0.05; done
cat /dev/zero >results/full 2>/dev/null
wait $run; code=$?
cp -r results/*-short kept/run
exit $code";
    let Some(ended) = on_a_small_disk(folder.path(), shell, &["all"]) else {
        return;
    };
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(1), "{said}");
    let verdicts = ["PASSED", "NOT TO BE TRUSTED"].map(|word| format!("verdict: {word}  two"));
    let stands = verdicts.iter().any(|it| ended.stdout.contains(it));
    assert!(stands, "the verdict stands: {said}");
    assert!(ended.stderr.contains("No space left on device"), "{said}");
    let report = newest_report(&folder.path().join("kept"));
    assert_eq!(report["complete"], false);
    assert_eq!(report["incomplete_because"], "1 test has not run yet");
    assert_eq!(report["outcome"], "inconclusive");
    assert_eq!(report["tests"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["tests"][0]["figures"]["requests"], 5);
    // Whole files only, and the record is the one of its evidence.
    let kept = std::fs::read_dir(folder.path().join("kept/run")).expect("a folder");
    let names = kept.flatten().map(|entry| entry.file_name());
    let names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let is_of_whole = |name: &String| !name.starts_with('.') && name != "report.html";
    assert!(names.iter().all(is_of_whole), "{names:?}");
    assert!(ended.stderr.contains("saved in results/"), "{said}");
    let kept = folder.path().join("kept/run");
    let verified = sparring().arg("verify").arg(kept).output();
    let verified = crate::binary::Ended::from(verified.expect("it runs"));
    assert_eq!(verified.code, Some(0), "{}{said}", verified.stdout);
}

/// `ulimit -f`: the write fails, but not the process; earlier records remain.
#[test]
fn a_file_that_may_not_grow_is_an_error_of_its_write() {
    let folder = short();
    // In blocks of 512 bytes: room for the record before the first test, and not for the one after it.
    let shell = "ulimit -f 12; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", shell, env!("CARGO_BIN_EXE_sparring")])
        .args(["test", "short.yaml", "one"])
        .env("NO_COLOR", "1")
        .current_dir(folder.path())
        .output();
    let ended = crate::binary::Ended::from(output.expect("sh is there"));
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(matches!(ended.code, Some(1 | 5)), "{:?} {said}", ended.code);
    assert!(ended.stdout.contains("verdict: "), "{said}");
    assert!(ended.stderr.contains("File too large"), "{said}");
    let report = newest_report(&folder.path().join("results"));
    assert_eq!(report["complete"], false);
}

/// A target that dies during a run: the message is clear, and the measurements are saved.
#[test]
fn a_target_that_dies_midway_ends_the_run_and_keeps_what_was_measured() {
    let mut target = Running::start(sparring().args(["target", "acis", "--port", "0", "--quiet"]));
    let url = target.url();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let short = SUITE
        .replace("600s", "3s")
        .replace("before:", "env: {}\n    # before:");
    let short = short.replace("all: [long]", "all: [long, second]")
        + "  second:
    about: Never begun.
    model: closed
    users: [User]
    phases: [{ ramp: { to: 1 } }, { steady: { for: 1s } }]
    judge: { checks: 1.0 }
";
    std::fs::write(folder.path().join("own.yaml"), short).expect("writable");
    std::fs::write(folder.path().join("own.js"), SCRIPT).expect("writable");
    let results = folder.path().join("results");
    let mut test = Running::start(
        sparring()
            .args([
                "test",
                "own.yaml",
                "all",
                "--time-scale",
                "1",
                "--base-url",
                &url,
                "--results",
            ])
            .arg(&results)
            .current_dir(folder.path()),
    );
    wait_for(
        || get(&format!("{url}/__admin/resources"))["succeeded"].as_u64() > Some(3),
        "load",
    );
    drop(target);
    // Its checks failed from then on, which is worse than the incomplete plan.
    let ended = crate::binary::Ended {
        code: test.code(),
        stdout: String::new(),
        stderr: String::new(),
    };
    let report = newest_report(&results);
    assert_ends(&ended, &report["tests"][0], 99);
    assert_eq!(report["not_run"], serde_json::json!(["second"]));
    assert_eq!(
        report["complete"], false,
        "{}",
        report["incomplete_because"]
    );
    let why = report["incomplete_because"].as_str().unwrap_or_default();
    assert!(why.contains("does not answer"), "{why}");
    assert!(report["tests"][0]["figures"]["requests"].as_u64() > Some(0));
}
