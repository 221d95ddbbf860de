//! A driver whose process is stopped for a moment, as by a busy machine.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::binary::sparring;

/// Two thousand starts a second for users of whom each is done at once.
const SCRIPT: &str = "
    import exec from 'k6/execution';
    export const options = { scenarios: { a: {
        executor: 'constant-arrival-rate', rate: 2000, duration: '3s', preAllocatedVUs: 50 } } };
    export default function () { if (exec.scenario.iterationInTest === 1000) console.log('half a second'); }
";

const STOPPED: Duration = Duration::from_millis(100);

#[test]
fn starts_that_fall_due_while_the_process_is_stopped_are_caught_up_with() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (script, export) = (folder.path().join("s.js"), folder.path().join("e.json"));
    std::fs::write(&script, SCRIPT).expect("it can be written");
    let mut child = sparring()
        .args(["run", "--quiet", "--generator-health", "always"])
        .arg("--summary-export")
        .arg(&export)
        .arg(&script)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built for this test");
    let pid = child.id().to_string();
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    };
    let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains("half a second") {
        line.clear();
        let read = log.read_line(&mut line).expect("a log");
        assert!(read > 0, "the run has ended");
    }
    signal("-STOP");
    std::thread::sleep(STOPPED);
    signal("-CONT");
    let output = child.wait_with_output().expect("it ends");
    let shown = String::from_utf8_lossy(&output.stdout);
    let text = std::fs::read_to_string(&export).expect("the summary is exported");
    let metrics: Value = serde_json::from_str::<Value>(&text).expect("JSON")["metrics"].take();
    let count = |name: &str| metrics[name]["count"].as_f64().unwrap_or_default();
    // Two hundred fell due, and fifty users were free. Other stalls of a busy machine may exceed the bounds.
    let dropped = count("dropped_iterations");
    assert!(dropped <= 20.0, "{dropped} dropped: {shown}");
    assert_eq!(count("iterations") + dropped, 6000.0, "{shown}");
    let late = shown.lines().find(|line| line.contains("late_starts"));
    let late = late.and_then(|line| line.split_once(": ")?.1.split(' ').next());
    let late: u32 = late.and_then(|count| count.parse().ok()).expect("a number");
    assert!(late >= 150, "they are counted as late: {shown}");
}
