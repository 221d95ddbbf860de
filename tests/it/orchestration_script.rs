//! The load script on real k6 and on this driver: the same checks, metrics and exit code.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::binary::sparring;
use crate::k6_diff::find_k6;
use crate::stack::Up;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/k6/orchestration_load.js"
);
const FLEET: &str = "
orchestration: { auth: { mode: 'off' } }
detectors:
  one:
    endpoint: 'http://localhost:0/detect'
    mock: { latency: { uniform: { min_ms: 1, max_ms: 5 } } }
";

/// The results that must be equal: exit code, metric names, thresholds, checks by group.
#[derive(Debug, PartialEq)]
struct Seen {
    code: Option<i32>,
    metrics: BTreeSet<String>,
    thresholds: BTreeSet<String>,
    checks: BTreeSet<String>,
}

fn run(mut command: Command, up: &Up, folder: &Path) -> Seen {
    let export = folder.join("summary.json");
    let output = command
        .args(["run", "--quiet", "--summary-export"])
        .arg(&export)
        .arg(SCRIPT)
        .env("PERF_BASE_URL", up.url("orchestrator"))
        .env("K6_SMOKE_VUS", "4")
        .env("K6_SMOKE_DURATION", "8s")
        .output()
        .expect("it can be started");
    let text = std::fs::read_to_string(&export).unwrap_or_else(|error| {
        panic!(
            "no summary ({error}): {}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let summary: Value = serde_json::from_str(&text).expect("JSON");
    let metrics = summary["metrics"].as_object().expect("an object");
    let thresholds = metrics.iter().flat_map(|(name, metric)| {
        let each = metric["thresholds"].as_object().into_iter().flatten();
        each.map(move |(expression, crossed)| format!("{name}: {expression}: {crossed}"))
    });
    let mut checks = BTreeSet::new();
    collect_checks(&summary["root_group"], &mut checks);
    Seen {
        code: output.status.code(),
        metrics: metrics.keys().cloned().collect(),
        thresholds: thresholds.collect(),
        checks,
    }
}

fn collect_checks(group: &Value, found: &mut BTreeSet<String>) {
    let members = |key: &str| group[key].as_object().cloned().unwrap_or_default();
    for check in members("checks").values() {
        found.insert(format!("{}: failed {}", check["path"], check["fails"]));
    }
    for inner in members("groups").values() {
        collect_checks(inner, found);
    }
}

/// DET-01: the script of the orchestrator on k6 itself.
#[test]
fn real_k6_and_our_driver_see_the_same() {
    let Some(k6) = find_k6() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let up = Up::start(FLEET);
    let theirs = run(Command::new(k6), &up, folder.path());
    let ours = run(sparring(), &up, folder.path());
    assert_eq!(theirs.code, Some(0));
    assert!(theirs.checks.len() >= 6, "{:?}", theirs.checks);
    assert_eq!(ours, theirs);
}
