//! Faults are reverted however a drill ends; if none were injected, nothing is changed.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suite::drill::{self, Drill, Ending, Stage, Target};

use crate::binary::sparring;
use crate::stack::Up;

const FLEET: &str = "
orchestration: { cache: { enabled: false }, auth: { mode: 'off' } }
detectors:
  one:
    endpoint: 'http://localhost:0/detect'
    aliases: [uno]
    breaker: { open_ms: 200, max_open_ms: 400, half_open_calls: 2 }
  two: { endpoint: 'http://localhost:0/detect' }
";

/// Faults that last longer than any test, unless something ends the drill. Any answers count as a
/// steady state, since the machine may be busy with other tests.
const LONG: &str = "
title: Two faults
probe: { interval_ms: 50 }
steady_state: { after_ms: 500, for_ms: 1000, expect: { answered: 0.1 } }
faults:
  - { detector: uno, patch: { success_rate: 0.0 }, for_ms: 600000 }
  - { detector: one, patch: { latency: { constant: { ms: 3 } } }, at_ms: 1, for_ms: 600000 }
recover: { within_ms: 20000 }
";

/// Longer than anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A drill in progress.
struct Running {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    folder: tempfile::TempDir,
}

impl Running {
    fn start(up: &Up, drill: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| -> PathBuf {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("writable");
            path
        };
        let fleet = FLEET
            .replacen("http://localhost:0", up.url("one"), 1)
            .replacen("http://localhost:0", up.url("two"), 1);
        let mut child = sparring()
            .args(["drill", "--orchestrator", up.url("orchestrator"), "-c"])
            .arg(write("detectors.yaml", &fleet))
            .arg("--results")
            .arg(folder.path())
            .arg(write("drill.yaml", drill))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        let stdout = child.stdout.take().map(BufReader::new);
        Self {
            child,
            stdout,
            folder,
        }
    }

    /// Reads its output up to a line that contains `text`.
    fn read_until(&mut self, text: &str) {
        let stdout = self.stdout.as_mut().expect("not closed yet");
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            let bytes = stdout.read_line(&mut line).expect("text");
            assert!(bytes > 0, "it ended before it printed {text:?}");
        }
    }

    fn send(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a pid");
        // SAFETY: `kill` only sends a signal, to a child that was not waited for yet.
        unsafe { libc::kill(pid, signal) };
    }

    fn journal(&self) -> Value {
        let files = std::fs::read_dir(self.folder.path()).expect("a folder");
        let mut paths = files.flatten().map(|entry| entry.path());
        let is_journal = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
        let path = paths.find(is_journal).expect("a journal");
        serde_json::from_slice(&std::fs::read(path).expect("readable")).expect("JSON")
    }

    fn stderr(&mut self) -> String {
        let stderr = self.child.stderr.take().expect("piped");
        std::io::read_to_string(stderr).expect("text")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn admin(up: &Up, path: &str) -> Value {
    let url = format!("{}/__admin{path}", up.url("one"));
    let mut response = ureq::get(&url).call().expect("the mock answers");
    let text = response.body_mut().read_to_string().expect("text");
    serde_json::from_str(&text).expect("JSON")
}

/// Success rate and latency in force.
fn in_force(up: &Up) -> (Value, Value) {
    let profile = admin(up, "/profile");
    let latency = profile["latency"]["constant"]["ms"].clone();
    (profile["success_rate"].clone(), latency)
}

fn until_reverted(up: &Up) -> Duration {
    let begun = Instant::now();
    while in_force(up).0 != json!(1.0) || admin(up, "")["overlays"] != json!([]) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", in_force(up));
        std::thread::sleep(Duration::from_millis(50));
    }
    begun.elapsed()
}

/// The steady state's own latency.
fn start(up: &Up) -> (Running, Value) {
    let (_, usual) = in_force(up);
    let mut drill = Running::start(up, LONG);
    drill.read_until("injected {\"success_rate\"");
    drill.read_until("injected {\"latency\"");
    assert_eq!(in_force(up), (json!(0.0), json!(3.0)));
    (drill, usual)
}

#[test]
fn signals_that_ask_for_an_end_take_everything_back_first() {
    let up = Up::start(FLEET);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        let (mut drill, usual) = start(&up);
        drill.send(signal);
        // Further signals change nothing.
        drill.send(signal);
        let status = drill.child.wait().expect("it can be waited for");
        assert_eq!(in_force(&up), (json!(1.0), usual), "signal {signal}");
        assert_eq!(status.code(), Some(105), "signal {signal}");
        drill.read_until("verdict: INTERRUPTED");
        drill.read_until("everything injected was reverted");
        let journal = drill.journal();
        assert_eq!(journal["status"], "interrupted");
        assert_eq!(journal["outcome"]["verdict"], "interrupted");
        let events = journal["seen"]["events"].as_array().map(Vec::len);
        assert_eq!(events, Some(2), "{journal}");
    }
}

#[test]
fn a_drill_that_is_killed_leaves_nothing_behind_for_long() {
    let up = Up::start(FLEET);
    let (mut drill, _) = start(&up);
    // Longer than the lifetime of an overlay that is not renewed.
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(in_force(&up).0, json!(0.0), "it is renewed");
    drill.send(libc::SIGKILL);
    let status = drill.child.wait().expect("it can be waited for");
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    until_reverted(&up);
}

#[test]
fn a_drill_whose_reader_leaves_goes_on_to_its_verdict() {
    let up = Up::start(FLEET);
    let short = LONG.replace("600000", "700");
    let mut drill = Running::start(&up, &short);
    drill.read_until("injected");
    drill.stdout = None;
    let status = drill.child.wait().expect("it can be waited for");
    assert_eq!(status.code(), Some(0), "{}", drill.stderr());
    assert_eq!(in_force(&up).0, json!(1.0));
}

#[test]
fn faults_that_overlap_end_each_at_its_own_time() {
    let up = Up::start(FLEET);
    let overlapping = "
title: Overlap
probe: { interval_ms: 50 }
steady_state: { after_ms: 500, for_ms: 1000, expect: { answered: 0.1 } }
faults:
  - { detector: one, patch: { latency: { constant: { ms: 3 } } }, at_ms: 0, for_ms: 1000 }
  - { detector: one, patch: { success_rate: 0.0 }, at_ms: 500, for_ms: 1500 }
recover: { within_ms: 5000 }
";
    let (_, usual) = in_force(&up);
    let mut drill = Running::start(&up, overlapping);
    let states = [
        ("injected {\"latency\"", (json!(1.0), json!(3.0))),
        ("injected {\"success_rate\"", (json!(0.0), json!(3.0))),
        ("reverted", (json!(0.0), usual.clone())),
        ("reverted", (json!(1.0), usual)),
    ];
    for (line, state) in states {
        drill.read_until(line);
        assert_eq!(in_force(&up), state, "after {line}");
    }
}

#[test]
fn a_system_that_is_not_steady_is_not_touched() {
    let up = Up::start(&FLEET.replace("{ mode: 'off' }", "{ mode: required }"));
    let before = admin(&up, "")["revision"].clone();
    let mut drill = Running::start(&up, LONG);
    drill.read_until("NOT STEADY");
    assert_eq!(drill.child.wait().expect("waited for").code(), Some(4));
    assert_eq!(admin(&up, "")["revision"], before);
}

#[test]
fn a_fault_that_somebody_else_reverts_invalidates_the_drill() {
    let up = Up::start(FLEET);
    let short = LONG.replace("600000", "5000");
    let mut drill = Running::start(&up, &short);
    drill.read_until("injected {\"latency\"");
    let url = format!("{}/__admin/reset", up.url("one"));
    ureq::post(&url).send_empty().expect("the mock answers");
    drill.read_until("reverted by another client");
    assert_eq!(drill.child.wait().expect("waited for").code(), Some(5));
}

#[test]
fn a_panic_takes_everything_back_before_it_goes_on() {
    let up = Up::start(FLEET);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("drill.yaml");
    std::fs::write(&file, LONG.replace("uno", "one")).expect("writable");
    let drill = Drill::read(&file).expect("a sound drill");
    let target = Target {
        orchestrator: up.url("orchestrator").to_owned(),
        headers: vec![("X-Tenant-ID".to_owned(), "t".to_owned())],
        detectors: [("one".to_owned(), up.url("one").to_owned())].into(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let ending = Ending::default();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let tell = |_, stage| {
            if matches!(stage, Stage::Injected { .. }) {
                // By now it is in force.
                assert_eq!(in_force(&up).0, json!(1.0), "this one is wanted");
            }
        };
        runtime.block_on(drill::conduct(&drill, &target, &[], &ending, tell))
    }));
    assert!(panicked.is_err(), "the test's own panic does not get lost");
    assert_eq!(in_force(&up).0, json!(1.0));
    assert_eq!(admin(&up, "")["overlays"], json!([]));
}
