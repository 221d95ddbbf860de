//! Alerts of a running test reach the sinks in its suite file, and no sink affects a verdict.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::receiver::{Received, Receiver};
use crate::suite_ends::{Running, wait_for};
use crate::suite_prometheus::{Daemon, free_port, get};
use crate::suite_runs::passed;

/// Responses of the laboratory's queue take longer than 50 ms; no threshold requires less.
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

/// AIA-44, AIA-45: alerts are raised while the test runs and resolved at its end, in each sink's own form.
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
    passed(&ended, &serde_json::from_str(&report).expect("JSON"));
    // The unreachable sink is named, without possibly secret parts of its address.
    let text = "alerts do not reach webhook 127.0.0.1:9: ";
    assert!(ended.stdout.contains(text), "{}", ended.stdout);
    assert!(report.contains(text));
    assert!(!report.contains("127.0.0.1:9/secret"));
}

/// The requests to the Alertmanager: the alert, and its end.
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

/// A nearly exhausted processor and memory, slow responses, and failures in half of them.
const SYSTEM: &str = "
system: worn
components:
  worn:
    kind: service
    slots: 100000
    host: { cpu_cores: 1, memory_mb: 1000, base_mb: 900 }
    operations: { run: { service_ms: &random { exponential: { mean_ms: 100 } }, cpu_ms: *random } }
endpoints:
  worn: { route: GET /slow, flow: [{ visit: worn.run }, { either: [{ share: 0.5, do: [{ fail: { status: 500, error_type: injected } }] }, { share: 0.5, do: [] }] }] }
";

/// The real Alertmanager, if there is one; with `REQUIRE_ALERTMANAGER` it is required.
fn alertmanager() -> Option<Command> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    let of_name = |name: &str| {
        let mut paths = folders.iter().map(|folder| folder.join(name));
        paths.find(|path| path.is_file())
    };
    let found = of_name("alertmanager").or_else(|| of_name("prometheus-alertmanager"));
    if found.is_none() {
        let how = "no `alertmanager` and no `prometheus-alertmanager` is on the path";
        assert!(std::env::var_os("REQUIRE_ALERTMANAGER").is_none(), "{how}");
        eprintln!("skipped: {how}");
    }
    found.map(Command::new)
}

/// AIA-44, AIA-45: a real Alertmanager has each of the six alerts while the test runs, and none of them afterwards.
#[test]
fn aia_44_the_real_alertmanager_has_the_six_alerts() {
    let Some(mut alertmanager) = alertmanager() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("writable");
    };
    write(
        "alertmanager.yml",
        "{ route: { receiver: none }, receivers: [{ name: none }] }",
    );
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    alertmanager
        .arg("--config.file=alertmanager.yml")
        .arg("--storage.path=data")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _alertmanager = Daemon(alertmanager.spawn().expect("it can be executed"));
    let alerts = || -> Vec<Value> {
        let text = get(&format!("{url}/api/v2/alerts")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    };
    wait_for(
        || get(&format!("{url}/-/ready")).is_some(),
        "the Alertmanager",
    );

    let begin = SUITE.find("alerts:").expect("the alerts");
    let end = SUITE.find("classes:").expect("the classes");
    let sink = format!(
        "alerts: {{ sinks: [{{ alertmanager: {{ url: '{url}', labels: {{ env: ci }} }} }}] }}\n"
    );
    let suite = SUITE.replace(&SUITE[begin..end], &sink);
    let suite = suite.replace("system: lab", "system: worn.yaml");
    // Long enough for the alerts, and with enough users to keep the processor busy.
    let suite = suite
        .replace("{ to: 2 }", "{ to: 16 }")
        .replace("8s", "60s");
    write("own.yaml", &suite);
    write("own.js", SCRIPT);
    write("worn.yaml", SYSTEM);
    let mut test = Running::start(
        sparring()
            .args(["test", "own.yaml", "--results", "results"])
            .current_dir(folder.path()),
    );
    let names = |alerts: &[Value]| -> BTreeSet<String> {
        let names = alerts.iter().map(|it| &it["labels"]["alertname"]);
        names
            .filter_map(|it| it.as_str().map(str::to_owned))
            .collect()
    };
    let all = [
        "cpu_usage_high",
        "error_rate_high",
        "latency_p50_high",
        "latency_p95_high",
        "latency_p99_high",
        "memory_usage_high",
    ];
    wait_for(|| names(&alerts()).len() == all.len(), "all alerts");
    let raised = alerts();
    assert_eq!(names(&raised), all.map(str::to_owned).into());
    for alert in &raised {
        let labels = &alert["labels"];
        let of = |label: &str| labels[label].as_str().unwrap_or_default();
        assert_eq!(
            [of("suite"), of("test"), of("env")],
            ["own", "slow", "ci"],
            "{alert}"
        );
        let is_critical =
            ["error_rate_high", "latency_p95_high", "latency_p99_high"].contains(&of("alertname"));
        assert_eq!(
            of("severity"),
            if is_critical { "critical" } else { "warning" }
        );
        let summary = alert["annotations"]["summary"].as_str();
        assert!(
            summary.is_some_and(|text| text.contains("exceeds")),
            "{alert}"
        );
        assert_eq!(alert["status"]["state"], "active");
    }
    // Alerts are also resolved when a run ends early.
    test.interrupt();
    assert_eq!(test.code(), Some(105));
    wait_for(|| alerts().is_empty(), "the end of all alerts");
}
