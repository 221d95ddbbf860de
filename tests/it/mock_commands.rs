//! `sparring mock`, and the commands that control, predict and record it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::binary::{Ended, sparring};

const FLEET: &str = "
detectors:
  steady: { endpoint: 'http://127.0.0.1:PORT_A/detect', aliases: [calm] }
  shaky:
    endpoint: 'http://127.0.0.1:PORT_B/detect'
    mock:
      seed: 7
      success_rate: 0.5
      failures: [{ kind: { status: { code: 503 } } }]
      schedule: { stages: [{ name: outage, at_ms: 3600000, for_ms: 1000, set: { success_rate: 0 } }] }
";

/// A running `sparring mock` with two detectors; ended when dropped.
struct Mocks {
    child: Child,
    /// Kept open, since a server that prints into a closed pipe would end.
    _stdout: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
    shaky: String,
}

impl Mocks {
    fn start() -> Self {
        // Bound at the same time, so that they differ, and released just before they are used.
        let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [a, b] = held.map(|listener| listener.local_addr().expect("bound").port());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = FLEET
            .replace("PORT_A", &a.to_string())
            .replace("PORT_B", &b.to_string());
        std::fs::write(folder.path().join("detectors.yaml"), text).expect("writable");
        let mut child = sparring()
            .arg("mock")
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        for name in ["steady", "shaky"] {
            let mut line = String::new();
            stdout.read_line(&mut line).expect("text");
            assert!(line.starts_with(name), "{line}");
        }
        Self {
            child,
            _stdout: stdout,
            folder,
            shaky: format!("http://127.0.0.1:{b}"),
        }
    }

    fn call(&self, arguments: &[&str]) -> Ended {
        let mut command = sparring();
        command.args(arguments).current_dir(self.folder.path());
        Ended::from(command.output().expect("it runs"))
    }

    /// The output of a command that has to succeed.
    fn print(&self, arguments: &[&str]) -> String {
        let ended = self.call(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    }

    fn get(&self, path: &str) -> Value {
        let mut response = ureq::get(format!("{}{path}", self.shaky))
            .call()
            .expect("the mock answers");
        serde_json::from_str(&response.body_mut().read_to_string().expect("text")).expect("JSON")
    }

    fn detect(&self) -> u16 {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let answer = agent
            .post(format!("{}/detect", self.shaky))
            .header("Content-Type", "application/json")
            .send(r#"{"content": "hello"}"#);
        answer.expect("the mock answers").status().as_u16()
    }
}

impl Drop for Mocks {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_plan_is_kept_and_its_hash_names_it() {
    let mocks = Mocks::start();
    let plan: Value =
        serde_json::from_str(&mocks.print(&["plan", "shaky", "-n", "40", "--json"])).expect("JSON");
    let plan = &plan[0];
    assert_eq!(plan["hash"], mocks.get("/__admin/plan")["hash"]);
    assert_eq!(plan["stages"][1]["active"][0], "outage");
    let text = mocks.print(&["plan", "shaky"]);
    assert!(
        text.contains(plan["hash"].as_str().expect("text")),
        "{text}"
    );
    assert!(text.contains("from  3600000 ms  outage"), "{text}");
    let planned = plan["requests"].as_array().expect("a list");
    assert_eq!(planned.len(), 40);
    for request in planned {
        let expected = if request["fault"] == "none" { 200 } else { 503 };
        assert_eq!(mocks.detect(), expected, "{request}");
    }
}

#[test]
fn a_fault_is_set_listed_reverted_by_itself_and_reset() {
    let mocks = Mocks::start();
    let said = mocks.print(&[
        "fault",
        "calm",
        "--failure-rate",
        "0.9",
        "--latency",
        "10ms..20ms",
        "--kind",
        "reset",
        "--kind",
        "status:429",
        "--for",
        "1h",
    ]);
    assert!(
        said.starts_with("steady: revision 2, failure rate 0.9"),
        "{said}"
    );
    let listed = mocks.print(&["fault", "list"]);
    let line = listed
        .lines()
        .find(|line| line.starts_with("steady"))
        .expect("listed");
    for expected in ["90.0%", "uniform", "for 3600 s more"] {
        assert!(line.contains(expected), "{line}");
    }
    mocks.print(&["fault", "shaky", "--failure-rate", "1", "--for", "100ms"]);
    while mocks.get("/__admin")["success_rate"] != 0.5 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let reset = mocks.print(&["fault", "reset"]);
    assert!(
        reset.contains("steady: revision 3, as in the fleet file"),
        "{reset}"
    );
    let ended = mocks.call(&["fault", "steady", "--patch", r#"{"succes_rate": 1}"#]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("success_rate"), "{}", ended.stderr);
    let ended = mocks.call(&["fault", "stedy", "--refuse"]);
    assert_eq!(
        ended.code,
        Some(2),
        "a name that nothing has is a usage error"
    );
    assert!(
        ended.stderr.contains("did you mean `steady`?"),
        "{}",
        ended.stderr
    );
}

/// A detector that refuses connections cannot be told to stop, so its reset fails, and the message does not doubt that
/// the others run.
#[test]
fn a_detector_that_cannot_be_reset_is_an_error() {
    let mocks = Mocks::start();
    mocks.print(&["fault", "shaky", "--refuse", "--for", "1h"]);
    for arguments in [
        &["fault", "reset"][..],
        &["fault", "reset", "shaky", "steady"],
    ] {
        let ended = mocks.call(arguments);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let told = "ends by itself after the time of its --for";
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        assert!(!ended.stderr.contains("running?"), "{}", ended.stderr);
        let other = "steady: revision";
        assert!(ended.stdout.contains(other), "{}", ended.stdout);
    }
    let ended = mocks.call(&["fault", "shaky", "--failure-rate", "1"]);
    assert!(ended.stderr.contains("but steady does"), "{}", ended.stderr);
    let listed = mocks.print(&["fault", "list"]);
    assert!(listed.contains("does not answer"), "{listed}");
}

#[test]
fn a_recording_is_the_profile_that_was_seen() {
    let mocks = Mocks::start();
    let failed = (0..60).filter(|_| mocks.detect() == 503).count();
    let recorded: Value = serde_json::from_str(&mocks.print(&["record", "shaky"])).expect("JSON");
    let rate = recorded["success_rate"].as_f64().expect("a number");
    assert!(
        (rate - (1.0 - failed as f64 / 60.0)).abs() < 1e-9,
        "{rate}: {failed} of 60 failed"
    );
    let path: PathBuf = mocks.folder.path().join("recorded.yaml");
    let fleet =
        format!("detectors: {{ again: {{ endpoint: 'http://localhost:1/', mock: {recorded} }} }}");
    std::fs::write(&path, fleet).expect("writable");
    mocks.print(&["check", path.to_str().expect("UTF-8")]);
}

/// The candidates that the shell requests through the function that `COMPLETE=bash sparring` defines.
#[test]
fn names_of_detectors_and_faults_complete_in_the_shell() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = FLEET.replace("PORT_A", "1").replace("PORT_B", "2");
    std::fs::write(folder.path().join("detectors.yaml"), text).expect("writable");
    for (words, expected) in [
        (&["fault", "s"][..], &["shaky", "steady"][..]),
        (&["fault", "c"], &["calm"]),
        (&["fault", "reset", "sh"], &["shaky"]),
        (
            &["fault", "steady", "--kind", "re"],
            &["reordered_list", "reset"],
        ),
        (&["plan", "sh"], &["shaky"]),
        (&["record", "ca"], &["calm"]),
        (&["mock", "st"], &["steady"]),
    ] {
        let output = sparring()
            .env("COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
            .env("_CLAP_COMPLETE_COMP_TYPE", "9")
            .env("_CLAP_COMPLETE_SPACE", "true")
            .env("_CLAP_IFS", "\n")
            .args(["--", "sparring"])
            .args(words)
            .current_dir(folder.path())
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut found: Vec<&str> = text.lines().filter(|name| !name.starts_with('-')).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{words:?}");
    }
}
