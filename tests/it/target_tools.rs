//! Real k6 and real Locust against served systems.
//!
//! Without k6 or Locust this is skipped with a message, unless `REQUIRE_K6` or `REQUIRE_LOCUST` is
//! set. `K6_BINARY` and `LOCUST_BINARY` name others than those on the path.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::k6_diff::find_k6;
use crate::served_target::Target;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests")
        .join(name)
}

/// The results of a run that do not depend on time: its exit code, and whether each check passed.
#[derive(Debug, PartialEq)]
struct Said {
    code: Option<i32>,
    checks: BTreeMap<String, bool>,
    metrics: Vec<String>,
}

fn said(mut command: Command, summary: &Path) -> Said {
    let ended = Ended::from(command.output().expect("it runs"));
    let text = std::fs::read_to_string(summary);
    let text = text.unwrap_or_else(|error| panic!("{error}: {}", ended.stderr));
    let summary: Value = serde_json::from_str(&text).expect("JSON");
    let mut checks = BTreeMap::new();
    collect(&summary["root_group"], &mut checks);
    let metrics = summary["metrics"].as_object().expect("metrics");
    let mut metrics: Vec<String> = metrics.keys().cloned().collect();
    metrics.sort();
    Said {
        code: ended.code,
        checks,
        metrics,
    }
}

/// Checks of a group and those in it.
fn collect(group: &Value, checks: &mut BTreeMap<String, bool>) {
    let entries = |value: &Value| -> Vec<Value> {
        match value {
            Value::Object(fields) => fields.values().cloned().collect(),
            Value::Array(items) => items.clone(),
            _ => Vec::new(),
        }
    };
    for check in entries(&group["checks"]) {
        let path = check["path"].as_str().unwrap_or_default().to_owned();
        checks.insert(path, check["fails"] == 0);
    }
    for inner in entries(&group["groups"]) {
        collect(&inner, checks);
    }
}

/// A script, with the settings for a run of a few seconds.
struct Script {
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
    flags: &'static [&'static str],
    /// Its exit code. Thresholds on milliseconds depend on the machine and are omitted.
    code: i32,
}

fn compare(k6: &Path, url: &str, script: &Script) {
    let path = folder("k6").join(script.name);
    let results = tempfile::tempdir().expect("a temporary folder");
    let run = |mut command: Command, driver: &str| {
        let summary = results.path().join(driver);
        command.arg("run").arg("--summary-export").arg(&summary);
        command.args(script.flags).arg(&path);
        command.env("PERF_BASE_URL", url);
        command.env("K6_NO_USAGE_REPORT", "true");
        command.envs(script.variables.iter().copied());
        said(command, &summary)
    };
    let real = run(Command::new(k6), "real.json");
    let ours = run(sparring(), "ours.json");
    assert_eq!(real, ours, "{}: real k6, then ours", script.name);
    assert_eq!(ours.code, Some(script.code), "{}", script.name);
    assert!(!ours.checks.is_empty(), "{}", script.name);
    let failed: Vec<&String> = ours
        .checks
        .iter()
        .filter(|one| !one.1)
        .map(|one| one.0)
        .collect();
    assert!(failed.is_empty(), "{}: {failed:?}", script.name);
}

const SHORT: &[&str] = &["--vus", "8", "--duration", "4s", "--no-thresholds"];
const QUICK: &[(&str, &str)] = &[("K6_WAIT_FACTOR", "0.1")];

/// Scripts by system. A second run finds the data that the first has left.
const SCRIPTS: [(&str, &[Script]); 5] = [
    (
        "acso",
        &[Script {
            name: "acso.js",
            variables: QUICK,
            flags: SHORT,
            code: 0,
        }],
    ),
    (
        "aiaas",
        &[
            Script {
                name: "aiaas.js",
                variables: QUICK,
                flags: SHORT,
                code: 0,
            },
            Script {
                name: "aiaas_socket.js",
                variables: &[("HOLD_S", "3"), ("PERIOD_S", "0.5")],
                flags: &["--vus", "60", "--iterations", "60", "--no-thresholds"],
                code: 0,
            },
        ],
    ),
    (
        "acis",
        &[Script {
            name: "acis.js",
            variables: QUICK,
            flags: SHORT,
            code: 0,
        }],
    ),
    (
        "agent360",
        &[
            Script {
                name: "agent360.js",
                variables: QUICK,
                flags: SHORT,
                code: 0,
            },
            Script {
                name: "agent360.js",
                // No response arrives within a microsecond.
                variables: &[(
                    "SPARRING_PLAN",
                    r#"{"vus": 2, "iterations": 4, "thresholds": {"http_req_duration": ["max<0.001"]}}"#,
                )],
                flags: &[],
                code: 99,
            },
        ],
    ),
    (
        "lab",
        &[Script {
            name: "lab.js",
            variables: &[
                ("ENDPOINT", "cpu4"),
                ("USERS", "3"),
                ("K6_LAB_DURATION", "2s"),
            ],
            flags: &["--no-thresholds"],
            code: 0,
        }],
    ),
];

#[test]
fn k6_and_our_driver_find_the_same_in_every_system() {
    let Some(k6) = find_k6() else { return };
    std::thread::scope(|scope| {
        for (system, scripts) in &SCRIPTS {
            let k6 = &k6;
            scope.spawn(move || {
                let target = Target::start(system, &[]);
                for script in *scripts {
                    compare(k6, target.url(), script);
                }
            });
        }
    });
}

/// The locustfile of each system, and its user classes.
const USERS: [(&str, &[&str]); 4] = [
    ("acso", &["Threats", "Services", "Finance", "ACSOUser"]),
    ("aiaas", &["AIaaSUser", "HighLoadUser"]),
    (
        "acis",
        &["ACISAPIUser", "ACISStressTestUser", "ACISBackgroundJobUser"],
    ),
    (
        "agent360",
        &["BasicLoadTest", "WorkflowLoadTest", "StressTest"],
    ),
];

/// Real Locust, if there is one.
fn find_locust() -> Option<PathBuf> {
    let named = std::env::var_os("LOCUST_BINARY").map(PathBuf::from);
    let locust = named.unwrap_or_else(|| PathBuf::from("locust"));
    let there = Command::new(&locust).arg("--version").output();
    if there.is_ok_and(|output| output.status.success()) {
        return Some(locust);
    }
    let how = "Locust was not found: `pip install locust`, or name it with LOCUST_BINARY";
    assert!(std::env::var_os("REQUIRE_LOCUST").is_none(), "{how}");
    eprintln!("skipped: {how}");
    None
}

/// A user class for a few seconds: `LOCUST_SECONDS` (5), or the design's 60.
fn swarm(locust: &Path, (system, class): (&str, &str), url: &str) {
    let seconds = std::env::var("LOCUST_SECONDS").unwrap_or_else(|_| "5".to_owned());
    let output = Command::new(locust)
        .arg("-f")
        .arg(folder("locust").join(format!("{system}.py")))
        .args(["--host", url, "-u", "6", "-r", "6", "-t", &seconds])
        .args(["--headless", "--json", "--stop-timeout", "10", class])
        .output();
    let ended = Ended::from(output.expect("it just ran"));
    assert_eq!(ended.code, Some(0), "{class}: {}", ended.stderr);
    let log = ended.stderr.to_lowercase();
    assert!(!log.contains("traceback"), "{class}: {}", ended.stderr);
    let begin = ended.stdout.find('[').unwrap_or(0);
    let found: Value = serde_json::from_str(&ended.stdout[begin..]).expect("JSON");
    let sum = |field: &str| -> u64 {
        let entries = found.as_array().expect("entries").iter();
        entries.filter_map(|entry| entry[field].as_u64()).sum()
    };
    assert!(sum("num_requests") > 0, "{class}: {}", ended.stdout);
    assert_eq!(sum("num_failures"), 0, "{class}: {}", ended.stdout);
}

#[test]
fn c_24_the_documents_user_classes_meet_no_failure() {
    let Some(locust) = find_locust() else { return };
    std::thread::scope(|scope| {
        for (system, classes) in &USERS {
            let locust = &locust;
            scope.spawn(move || {
                let target = Target::start(system, &[]);
                for class in *classes {
                    swarm(locust, (system, class), target.url());
                }
            });
        }
    });
}
