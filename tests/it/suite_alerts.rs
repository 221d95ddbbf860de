//! Alerts of a running test reach the sinks of its suite file, and no sink changes a verdict.

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::receiver::{Received, Receiver};

/// Answers of the laboratory's queue take longer than 50 ms; nothing asks for less.
const SUITE: &str = "
suite: own
system: lab
default: [slow]
all: [slow]
alerts:
  sinks:
    - log
    - file: { path: alerts/all.jsonl }
    - webhook: { url: 'HOOK/secret?key=${HOOK_KEY}', headers: { X-Team: '${TEAM}' } }
    - alertmanager: { url: HOOK, labels: { env: ci } }
    - webhook: { url: 'http://127.0.0.1:9/secret' }
classes:
  User: { script: own.js, exec: user, wait_s: [0, 0] }
tests:
  slow:
    about: Answers that are slow on purpose.
    model: closed
    users: [User]
    phases: [{ ramp: { to: 2 } }, { steady: { for: 8s } }]
    judge: { checks: 1.0 }
";

const SCRIPT: &str = "
import http from 'k6/http';
import { check, sleep } from 'k6';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
export function user() {
  check(http.get(`${__ENV.PERF_BASE_URL}/slow`), { answered: (r) => r.status === 200 });
}
";

/// AIA-44, AIA-45: raised while the test runs, over with it, in each sink's own form.
#[test]
fn aia_44_alerts_reach_each_sink_while_the_test_runs() {
    let receiver = Receiver::new(|request| {
        if request.target == "/slow" {
            std::thread::sleep(std::time::Duration::from_millis(120));
        }
        (200, "{}".to_owned())
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let suite = SUITE.replace("HOOK/", &format!("{}/", receiver.url));
    let suite = suite.replace("url: HOOK", &format!("url: {}", receiver.url));
    std::fs::write(folder.path().join("own.yaml"), suite).expect("writable");
    std::fs::write(folder.path().join("own.js"), SCRIPT).expect("writable");
    let output = sparring()
        .args([
            "test",
            "own.yaml",
            "--base-url",
            &receiver.url,
            "--results",
            "results",
        ])
        .env("HOOK_KEY", "k3y")
        .env("TEAM", "red")
        .current_dir(folder.path())
        .output();
    let ended = Ended::from(output.expect("the binary was built for this test"));
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let raised = "p95 latency";
    assert!(
        ended.stderr.contains(raised),
        "the log has it: {}",
        ended.stderr
    );

    let hook = receiver.wait_for(|it| it.target.starts_with("/secret"));
    assert_eq!(hook.target, "/secret?key=k3y");
    assert!(
        hook.headers
            .contains(&("x-team".to_owned(), "red".to_owned()))
    );
    let all: Vec<Value> = receiver
        .received()
        .iter()
        .filter(|it| it.target.starts_with("/secret"))
        .map(Received::json)
        .collect();
    let of = |status: &str| {
        let is_it =
            |alert: &&Value| alert["type"] == "latency_p95_high" && alert["status"] == status;
        all.iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("no {status} in {all:?}"))
    };
    let firing = of("firing");
    assert_eq!(firing["severity"], "critical");
    assert_eq!(firing["threshold"], 100.0);
    assert_eq!(
        (&firing["suite"], &firing["test"]),
        (&"own".into(), &"slow".into())
    );
    assert_eq!(
        of("resolved")["raised_at"],
        firing["raised_at"],
        "over with the test"
    );

    check_alertmanager(&receiver);
    let results = folder.path().join("results");
    let mut runs = std::fs::read_dir(results).expect("made").flatten();
    let run = runs
        .find(|entry| entry.path().is_dir())
        .expect("a run")
        .path();
    let lines = std::fs::read_to_string(run.join("alerts/all.jsonl")).expect("written");
    assert_eq!(lines.lines().count(), all.len(), "{lines}");
    let report = std::fs::read_to_string(run.join("report.json")).expect("written");
    // The sink that nobody listens at is named, without what may be secret of its address.
    let text = "alerts do not reach webhook 127.0.0.1:9: ";
    assert!(ended.stdout.contains(text), "{}", ended.stdout);
    assert!(report.contains(text));
    assert!(!report.contains("127.0.0.1:9/secret"));
}

/// What the Alertmanager was sent: the alert, and its end.
fn check_alertmanager(receiver: &Receiver) {
    let manager: Vec<Value> = receiver
        .received()
        .iter()
        .filter(|it| it.target == "/api/v2/alerts" && it.method == "POST")
        .map(|it| it.json()[0].clone())
        .collect();
    let p95 = |alert: &&Value| alert["labels"]["alertname"] == "latency_p95_high";
    let first = manager
        .iter()
        .find(p95)
        .unwrap_or_else(|| panic!("{manager:?}"));
    assert_eq!(first["labels"]["env"], "ci");
    assert_eq!(first["endsAt"], Value::Null);
    assert!(
        first["annotations"]["summary"]
            .as_str()
            .is_some_and(|text| text.contains("p95 latency"))
    );
    let last = manager.iter().rfind(p95).expect("the same again");
    assert!(last["endsAt"].is_string(), "{last}");
}
