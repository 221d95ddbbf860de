//! The REST API of real k6 and of this driver: the same requests in the same order have the same responses.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::find_k6;
use crate::binary::sparring;

/// The time limit for an expected event.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run with its API.
struct Run {
    child: Child,
    port: u16,
}

impl Run {
    fn start(mut command: Command, flags: &[&str], script: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        command
            .args(["run", "--quiet", "--no-summary", "--log-output=none"])
            .args(["--no-usage-report", "--address"])
            .arg(format!("127.0.0.1:{port}"))
            .args(flags)
            .arg(script);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the driver starts");
        Self { child, port }
    }

    /// Status, content type and body; `None` when no server listens.
    fn ask(&self, method: &str, path: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?;
        let content_type = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-type").then_some(value)
        });
        Some(format!("{status} {} {body}", content_type.unwrap_or("-")))
    }

    fn wait_for(&self, what: &str) {
        let begun = Instant::now();
        loop {
            let status = self.ask("GET", "/v1/status", "").unwrap_or_default();
            if status.contains(what) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "no {what}: {status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // The run may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The responses of a run to all steps, one line each, and its exit code.
fn answers(command: Command, flags: &[&str], script: &Path, steps: &[Step]) -> String {
    let mut run = Run::start(command, flags, script);
    let mut answers = String::new();
    for step in steps {
        match *step {
            Step::Wait(what) => run.wait_for(what),
            Step::Ask(method, path, body) => {
                let answer = run.ask(method, path, body).unwrap_or_default();
                let answer = without_places(answer.trim_end());
                answers += &format!("{method} {path} {body}\n    {answer}\n");
            }
            Step::Change(attributes) => {
                let body = format!(r#"{{"data":{{"type":"status","attributes":{attributes}}}}}"#);
                let answer = run.ask("PATCH", "/v1/status", &body).unwrap_or_default();
                // A stopping run may already have ended some VUs.
                let answer = match answer.split_once(r#""vus":"#) {
                    Some((before, _)) if attributes.contains("stopped\":true") => before,
                    _ => &answer,
                };
                answers += &format!("change {attributes}\n    {answer}\n");
            }
            Step::End => {
                let ended = run.child.wait().expect("started");
                answers += &format!("{:?}\n", ended.code());
            }
        }
    }
    answers
}

#[derive(Clone, Copy)]
enum Step {
    /// Waits until the status contains this text.
    Wait(&'static str),
    Ask(&'static str, &'static str, &'static str),
    /// PATCH of the status with these attributes.
    Change(&'static str),
    /// Waits until the run has ended.
    End,
}

/// The place of an exception differs: k6 adds a number of its engine, and counts columns differently.
fn without_places(answer: &str) -> &str {
    answer
        .split_once(".js:")
        .map_or(answer, |(before, _)| before)
}

fn compare(script: &str, flags: &[&str], steps: &[Step]) {
    let Some(k6) = find_k6() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("script.js");
    std::fs::write(&path, script).expect("written");
    let theirs = answers(Command::new(k6), flags, &path, steps);
    let ours = answers(sparring(), flags, &path, steps);
    let pairs = theirs.lines().zip(ours.lines());
    let wrong: Vec<_> = pairs.filter(|(theirs, ours)| theirs != ours).collect();
    assert!(wrong.is_empty(), "k6 and ours: {wrong:#?}\n{theirs}");
    assert_eq!(theirs.lines().count(), ours.lines().count());
}

const EXTERNAL: &str = "
import { sleep } from 'k6';
export const options = { scenarios: { e: { executor: 'externally-controlled', vus: 2, maxVUs: 4, duration: '10m' } } };
export function setup() {
    if (__ENV.WRONG === 'throw') throw new Error('oh');
    if (__ENV.WRONG === 'nothing') return;
    return { a: 1, b: [true, 'x'] };
}
export function teardown() { if (__ENV.WRONG === 'throw') throw new Error('oh no'); }
export default function () { sleep(0.05); }
";

#[test]
fn a_run_that_is_controlled_from_outside_answers_like_k6() {
    use Step::{Ask, Change, End, Wait};
    let steps = [
        Wait(r#""vus":2,"vus-max":4"#),
        Ask("GET", "/v1/status", ""),
        Ask("GET", "/v1/setup", ""),
        Ask("PUT", "/v1/setup", r#"{"b":2}"#),
        Ask("GET", "/v1/setup", ""),
        Ask("PUT", "/v1/setup", "nojson"),
        Ask("PUT", "/v1/setup", ""),
        Ask("POST", "/v1/setup", ""),
        Ask("GET", "/v1/setup", ""),
        Ask("POST", "/v1/teardown", ""),
        Ask("GET", "/v1/teardown", ""),
        Ask("DELETE", "/v1/status", ""),
        Ask("PATCH", "/v1/status", "xx"),
        Ask("PATCH", "/v1/status", "{}"),
        Change(r#"{"paused":false}"#),
        Change(r#"{"vus":3}"#),
        Change(r#"{"vus-max":6}"#),
        Change(r#"{"vus":9}"#),
        Change(r#"{"vus":6}"#),
        Change(r#"{"vus-max":2}"#),
        Change(r#"{"vus":1,"vus-max":2}"#),
        Change(r#"{"vus":1,"vus-max":5}"#),
        Ask("GET", "/v1/status", ""),
        Change(r#"{"vus":-1}"#),
        Change(r#"{"paused":true}"#),
        Change(r#"{"paused":true}"#),
        Change(r#"{"vus":3}"#),
        Change(r#"{"paused":false}"#),
        Ask("GET", "/v1/metrics/nope", ""),
        Ask("GET", "/v1/groups/nope", ""),
        Ask("GET", "/v1/groups", ""),
        Ask("GET", "/v1/nope", ""),
        Ask("GET", "/ping", ""),
        Ask("GET", "/", ""),
        Ask("GET", "/debug/pprof/", ""),
        Change(r#"{"stopped":true}"#),
        End,
    ];
    compare(EXTERNAL, &[], &steps);
}

#[test]
fn functions_are_run_when_asked_for_and_data_is_set_before_the_begin() {
    use Step::{Ask, Change, End, Wait};
    let steps = [
        Wait(r#""status":4"#),
        Ask("GET", "/v1/setup", ""),
        Ask("POST", "/v1/setup", ""),
        Ask("GET", "/v1/status", ""),
        Ask("POST", "/v1/teardown", ""),
        Change(r#"{"vus":3,"vus-max":7}"#),
        Ask("GET", "/v1/status", ""),
        Change(r#"{"paused":true}"#),
        Ask("PUT", "/v1/setup", "[1]"),
        Change(r#"{"paused":false,"stopped":false}"#),
        Wait(r#""vus":3,"vus-max":7"#),
        Ask("GET", "/v1/setup", ""),
        Change(r#"{"stopped":true}"#),
        End,
    ];
    for wrong in ["nothing", "throw", "no"] {
        let variable = format!("WRONG={wrong}");
        let flags = ["--paused", "--no-setup", "--no-teardown", "-e", &variable];
        compare(EXTERNAL, &flags, &steps);
    }
}

#[test]
fn a_lingering_run_still_answers_and_cleans_up() {
    use Step::{Ask, Change, Wait};
    let steps = [
        Wait(r#""status":4"#),
        Ask("PUT", "/v1/setup", r#"{"c":3}"#),
        Change(r#"{"paused":false}"#),
        Wait(r#""status":9"#),
        Ask("GET", "/v1/status", ""),
        Ask("GET", "/v1/setup", ""),
        Ask("POST", "/v1/teardown", ""),
        Change(r#"{"vus":3}"#),
    ];
    let script = "
        export const options = { vus: 2, iterations: 2 };
        export default function (data) { if (data.c !== 3) throw new Error('other data'); }
        export function teardown(data) { if (data.c !== 3) throw new Error('other data'); }
    ";
    let flags = ["--paused", "--no-setup", "--no-teardown", "--linger"];
    compare(script, &flags, &steps);
}
