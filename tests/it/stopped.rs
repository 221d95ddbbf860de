//! A driver whose process is stopped for a moment, as by a busy machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::binary::sparring;

/// Two thousand starts a second, whose iterations end at once.
const SCRIPT: &str = "
    import exec from 'k6/execution';
    export const options = { scenarios: { a: {
        executor: 'constant-arrival-rate', rate: 2000, duration: '3s', preAllocatedVUs: 50 } } };
    export default function () { if (exec.scenario.iterationInTest === 1000) console.log('half a second'); }
";

const STOPPED: Duration = Duration::from_millis(100);

/// Runs a script that prints "half a second" at that time, and stops the process then. Returns its output and metrics.
fn stopped_for(length: Duration, script: &str, words: &[&str]) -> (String, Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, export) = (folder.path().join("s.js"), folder.path().join("e.json"));
    std::fs::write(&path, script).expect("it can be written");
    let mut child = sparring()
        .args(["run", "--quiet", "--generator-health", "always"])
        .args(words)
        .arg("--summary-export")
        .arg(&export)
        .arg(&path)
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
    std::thread::sleep(length);
    signal("-CONT");
    let output = child.wait_with_output().expect("it ends");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = std::fs::read_to_string(&export).expect("the summary is exported");
    let metrics = serde_json::from_str::<Value>(&text).expect("JSON")["metrics"].take();
    (shown, metrics)
}

#[test]
fn starts_that_fall_due_while_the_process_is_stopped_are_caught_up_with() {
    let (shown, metrics) = stopped_for(STOPPED, SCRIPT, &[]);
    let count = |name: &str| metrics[name]["count"].as_f64().unwrap_or_default();
    // Two hundred starts were due, and fifty users were free. Other stalls of a busy machine may exceed the bounds.
    let dropped = count("dropped_iterations");
    assert!(dropped <= 20.0, "{dropped} dropped: {shown}");
    assert_eq!(count("iterations") + dropped, 6000.0, "{shown}");
    let late = shown.lines().find(|line| line.contains("late_starts"));
    let late = late.and_then(|line| line.split_once(": ")?.1.split(' ').next());
    let late: u32 = late.and_then(|count| count.parse().ok()).expect("a number");
    assert!(late >= 150, "they are counted as late: {shown}");
}

/// A hundred requests a second, and enough users for those that fall due in the stall.
const REQUESTS: &str = "
    import http from 'k6/http';
    import exec from 'k6/execution';
    export const options = { scenarios: { a: {
        executor: 'constant-arrival-rate', rate: 100, duration: '6s', preAllocatedVUs: 200 } } };
    export default function () {
        http.get(__ENV.SERVER);
        if (exec.scenario.iterationInTest === 50) console.log('half a second');
    }
";

/// N-08, with the stall of wrk2's example: a quarter of the requests were due while the driver could not send them.
#[test]
fn a_stall_of_one_and_a_half_seconds_shows_only_in_the_corrected_latencies() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 1024];
                while stream.read(&mut request).is_ok_and(|count| count > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                }
            });
        }
    });
    let server = format!("SERVER=http://{address}/");
    let words = [
        "--intended-duration",
        "--summary-trend-stats",
        "med,p(99)",
        "-e",
        &server,
    ];
    let (shown, metrics) = stopped_for(Duration::from_millis(1_400), REQUESTS, &words);
    let of = |metric: &str, value: &str| metrics[metric][value].as_f64().expect("a number");
    let corrected = of("http_req_intended_duration", "p(99)");
    let uncorrected = of("http_req_duration", "p(99)");
    eprintln!("p99: corrected {corrected} ms, uncorrected {uncorrected} ms");
    // The latest 1 % of 600 requests was due in the first tenth of a second of the stall.
    assert!(corrected > 1_000.0, "{corrected} ms: {shown}");
    // Measured from their sending, they are as fast as the others, although all are sent at once.
    assert!(
        uncorrected < corrected / 2.0,
        "{uncorrected} of {corrected} ms: {shown}"
    );
    assert!(
        of("http_req_intended_duration", "med") < 1_000.0,
        "most were due at other times"
    );
}
