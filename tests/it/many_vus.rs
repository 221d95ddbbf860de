//! Virtual users are neither threads nor tasks that block a thread.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::binary::sparring;

const SCRIPT: &str = "
import { sleep } from 'k6';
export default function () { sleep(3); }
";

/// Runs the script once on each of `vus` virtual users. Returns the maximum number of threads, and
/// the iterations in the summary.
fn run(vus: u32) -> (u64, f64) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (script, export) = (
        folder.path().join("sleep.js"),
        folder.path().join("summary.json"),
    );
    std::fs::write(&script, SCRIPT).expect("the folder is writable");
    let mut command: Command = sparring();
    command.args([
        "run",
        "--quiet",
        "--vus",
        &vus.to_string(),
        "--iterations",
        &vus.to_string(),
    ]);
    command.arg("--summary-export").arg(&export).arg(&script);
    let mut child = command
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary was built");
    let most = watch(&mut child);
    assert_eq!(child.wait().expect("it can be waited for").code(), Some(0));
    let text = std::fs::read_to_string(&export).expect("a summary was written");
    let summary: Value = serde_json::from_str(&text).expect("JSON");
    (
        most,
        summary["metrics"]["iterations"]["count"]
            .as_f64()
            .unwrap_or_default(),
    )
}

/// The maximum number of threads of the process until its end.
fn watch(child: &mut Child) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("it can be asked").is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Threads:"));
        most = most.max(
            line.and_then(|count| count.trim().parse().ok())
                .unwrap_or(0),
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    most
}

#[test]
fn a_thousand_sleeping_vus_take_no_thousand_threads() {
    let cores = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let (threads, iterations) = run(1_000);
    assert_eq!(iterations, 1_000.0);
    assert!(
        (1..=cores + 6).contains(&threads),
        "{threads} threads on {cores} cores"
    );
}

#[test]
fn ten_thousand_vus_start_and_end() {
    assert_eq!(run(10_000).1, 10_000.0);
}
