//! The driver's report about itself, and its measurements beyond those of k6.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::Value;

use crate::binary::{Ended, sparring};

fn run(script: &str, flags: &[&str]) -> (Ended, Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, export) = (
        folder.path().join("s.js"),
        folder.path().join("summary.json"),
    );
    std::fs::write(&path, script).expect("it can be written");
    let mut command = sparring();
    command.arg("run").arg("--summary-export").arg(&export);
    let output = command.args(flags).arg(&path).output();
    let ended = Ended::from(output.expect("the binary was built for this test"));
    let export = std::fs::read_to_string(&export).expect("the summary is exported");
    (ended, serde_json::from_str(&export).expect("JSON"))
}

/// Ten iterations in a second that keep the only thread busy for three.
const BUSY: &str = "
    export const options = { scenarios: { a: {
        executor: 'constant-arrival-rate', rate: 10, duration: '1s', preAllocatedVUs: 10 } } };
    export default function () { const end = Date.now() + 300; while (Date.now() < end); }
";

#[test]
fn a_driver_that_is_too_slow_for_its_schedule_says_so() {
    let (ended, _) = run(BUSY, &["--threads", "1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("GENERATOR"), "{}", ended.stdout);
    assert!(ended.stdout.contains("late_starts"), "{}", ended.stdout);
    let why = "the schedule was not kept";
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
}

#[test]
fn the_drivers_health_is_shown_when_it_is_asked_for() {
    let script = "export const options = { iterations: 1 }; export default function () {}";
    let (ended, _) = run(script, &["--generator-health", "always"]);
    assert!(ended.stdout.contains("event_loop_lag"), "{}", ended.stdout);
    let (ended, _) = run(script, &[]);
    assert!(!ended.stdout.contains("GENERATOR"), "{}", ended.stdout);
}

/// Two virtual users on one thread; while one sorts, the response of the other one arrives.
const SORTING: &str = "
    import http from 'k6/http';
    export const options = { scenarios: { a: { executor: 'per-vu-iterations', vus: 2, iterations: 8 } } };
    const many = Array.from({ length: 300000 }, (_, i) => `${(i * 7919) % 300009}`);
    export default function () { http.get(__ENV.SERVER); [...many].sort(); }
";

#[test]
fn answers_that_are_read_late_are_counted_and_not_slow() {
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
    let flags = ["--threads", "1", "--generator-health", "always", "-e"];
    let (ended, export) = run(SORTING, &[&flags[..], &[server.as_str()]].concat());
    let line = ended
        .stdout
        .lines()
        .find(|line| line.contains("late_reads"));
    let values = line
        .and_then(|line| line.split_once(": "))
        .expect("a line")
        .1;
    let (count, latest) = values.split_once(", latest=").expect("a count and a time");
    let count: u64 = count.parse().expect("a number");
    let latest_ms: f64 = latest.trim_end_matches("ms").parse().expect("a number");
    assert!(count > 0, "{}", ended.stdout);
    let usual_ms = export["metrics"]["http_req_duration"]["med"].as_f64();
    let usual_ms = usual_ms.expect("a number");
    assert!(usual_ms * 2.0 < latest_ms, "{usual_ms} {}", ended.stdout);
}

/// As `BUSY`, with a request at the beginning of each iteration.
const LATE: &str = "
    import http from 'k6/http';
    export const options = { scenarios: { a: {
        executor: 'constant-arrival-rate', rate: 10, duration: '1s', preAllocatedVUs: 10 } } };
    export default function () {
        http.get('http://127.0.0.1:9');
        const end = Date.now() + 300; while (Date.now() < end);
    }
";

#[test]
fn intended_durations_count_from_the_scheduled_start() {
    let (ended, export) = run(
        LATE,
        &["--threads", "1", "--intended-duration", "--log-output=none"],
    );
    let greatest = |name: &str| export["metrics"][name]["max"].as_f64().unwrap_or_default();
    let (intended, waited) = (
        greatest("http_req_intended_duration"),
        greatest("http_req_duration"),
    );
    // Busy virtual users share the only thread, so later ones begin late.
    assert!(
        intended > waited + 10.0,
        "{intended} {waited} {}",
        ended.stdout
    );
    let (_, export) = run(
        LATE,
        &[
            "--threads",
            "1",
            "--log-output=none",
            "--generator-health=never",
        ],
    );
    assert!(export["metrics"]["http_req_intended_duration"].is_null());
}

const TREND: &str = "
    import { Trend } from 'k6/metrics';
    const numbers = new Trend('numbers');
    export const options = { iterations: 1, thresholds: { numbers: ['p(90)<905', 'p(90)>895'] } };
    export default function () { for (let i = 1; i <= 1000; i++) numbers.add(i); }
";

#[test]
fn bounded_trends_are_near_the_exact_ones() {
    let (exact, exact_summary) = run(TREND, &[]);
    let (near, near_summary) = run(TREND, &["--trend-sink", "hdr"]);
    assert_eq!(
        (exact.code, near.code),
        (Some(0), Some(0)),
        "{}",
        near.stderr
    );
    for stat in ["avg", "min", "med", "max", "p(90)", "p(95)"] {
        let of = |summary: &Value| {
            summary["metrics"]["numbers"][stat]
                .as_f64()
                .expect("a number")
        };
        let (exact, near) = (of(&exact_summary), of(&near_summary));
        assert!(
            (near / exact - 1.0).abs() < 0.001,
            "{stat}: {near} for {exact}"
        );
    }
}
