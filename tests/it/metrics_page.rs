//! docs/METRICS.md lists every metric that the servers show, with its kind and its labels.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::stack::Up;

/// A stack with all parts that have metrics: a queue, a shadow, and a Redis that does not exist.
const FLEET: &str = "
orchestration: { redis_url: 'redis://127.0.0.1:1' }
detectors:
  one: { endpoint: 'http://localhost:0/detect', mock: { queue: { workers: 2, service: { constant: { ms: 1 } } } } }
  two: { endpoint: 'http://localhost:0/detect', shadow_of: one }
";

/// Kinds by name in an exposition.
fn kinds(exposition: &str) -> BTreeMap<String, String> {
    let lines = exposition.lines();
    let types = lines.filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect()
}

/// The labels of a metric's first series; a histogram's are those of its count.
fn labels(exposition: &str, name: &str) -> Option<BTreeSet<String>> {
    let series = exposition.lines().find(|line| {
        let own = [name.to_owned(), format!("{name}_count")];
        let (found, _) = line.split_once(['{', ' ']).unwrap_or((line, ""));
        own.iter().any(|own| own == found)
    })?;
    let inside = series
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'));
    let pairs = inside.map_or("", |(inside, _)| inside).split("\",");
    let names = pairs.filter_map(|pair| pair.split_once('=').map(|(name, _)| name.to_owned()));
    Some(names.collect())
}

/// The labels on the page.
fn described_labels(page: &str, name: &str) -> BTreeSet<String> {
    let row = page
        .lines()
        .find(|line| line.starts_with(&format!("| `{name}` |")));
    let cell = row
        .and_then(|row| row.split(" | ").nth(2))
        .unwrap_or_default();
    let names = cell
        .split_whitespace()
        .map(|label| label.trim_matches('`').to_owned());
    names.filter(|label| label != "|").collect()
}

/// Kinds by name on the page.
fn described(page: &str) -> BTreeMap<String, String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|row| {
        let mut cells = row.split(" | ");
        let name = cells.next()?.trim_end_matches('`');
        Some((name.to_owned(), cells.next()?.to_owned()))
    });
    rows.collect()
}

fn get(url: &str) -> String {
    let mut answer = ureq::get(url).call().expect("it answers");
    answer.body_mut().read_to_string().expect("text")
}

#[test]
fn every_metric_of_a_running_stack_is_described() {
    let up = Up::start_with(FLEET, &["--systems", "all"]);
    let request = json!({"content": "x", "content_type": "text", "tenant_id": "t"});
    assert_eq!(up.post("/orchestrate", &request).0, 200);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/METRICS.md");
    let page = std::fs::read_to_string(page).expect("the page exists");
    let described = described(&page);
    assert!(described.len() > 60, "{}", described.len());
    let mut missing = Vec::new();
    for server in ["orchestrator", "one", "acso", "aiaas", "acis", "agent360"] {
        let exposition = get(&format!("{}/metrics", up.url(server)));
        let shown = kinds(&exposition);
        assert!(shown.len() > 10, "{server}: {shown:?}");
        for (name, kind) in shown {
            // Metrics that a system's document declares are specific to it.
            let is_own = ["acso", "aiaas", "acis", "agent360"].contains(&server)
                && !name.starts_with("sparring_target_");
            let mut found = labels(&exposition, &name).unwrap_or_default();
            if server == "one" {
                // One of all metrics of a mock.
                found.remove("detector");
            }
            if !is_own && found != described_labels(&page, &name) {
                missing.push(format!("{server}: {name}: labels {found:?}"));
            }
            if !is_own && described.get(&name) != Some(&kind) {
                missing.push(format!(
                    "{server}: {name} ({kind}): {:?}",
                    described.get(&name)
                ));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "not in docs/METRICS.md:\n{}",
        missing.join("\n")
    );
}

#[test]
fn help_texts_of_the_page_are_in_one_line() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/METRICS.md");
    let page = std::fs::read_to_string(page).expect("the page exists");
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        assert_eq!(line.replace("\\|", "").matches('|').count(), 5, "{line}");
    }
}

/// The errors of `promtool check metrics`; `None` with a message if there is no promtool, unless `REQUIRE_PROMTOOL` is
/// set, as in CI.
fn complaints(exposition: &str) -> Option<Vec<String>> {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]);
    let pipes = command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let started = pipes.stdout(Stdio::piped()).spawn();
    let Ok(mut child) = started else {
        let how = "no `promtool` is on the path";
        assert!(std::env::var_os("REQUIRE_PROMTOOL").is_none(), "{how}");
        eprintln!("skipped: {how}");
        return None;
    };
    let mut stdin = child.stdin.take().expect("it is piped");
    // The linter reads its whole input before it prints anything.
    let written = stdin.write_all(exposition.as_bytes());
    drop(stdin);
    let ended = child.wait_with_output().expect("it ends");
    written.expect("it reads everything");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!said.contains("error while"), "not an exposition: {said}");
    let all: Vec<String> = said.lines().map(str::to_owned).collect();
    assert_eq!(ended.status.success(), all.is_empty(), "{said}");
    Some(all)
}

/// Names that promtool reports and that stay: those in milliseconds are the orchestrator's contract, including its own
/// share of `orchestrate_request_duration_ms`, and a metric that the documents of two systems name.
const PRESCRIBED: [&str; 5] = [
    "db_latency_ms",
    "detector_health_check_duration_ms",
    "detector_latency_ms",
    "orchestrate_overhead_ms",
    "orchestrate_request_duration_ms",
];

#[test]
fn promtool_finds_nothing_in_the_metrics_of_all_servers_but_prescribed_units() {
    let up = Up::start_with(FLEET, &["--systems", "all"]);
    let request = json!({"content": "x", "content_type": "text", "tenant_id": "t"});
    assert_eq!(up.post("/orchestrate", &request).0, 200);
    let mut found = Vec::new();
    for server in ["orchestrator", "one", "acso", "aiaas", "acis", "agent360"] {
        let Some(complaints) = complaints(&get(&format!("{}/metrics", up.url(server)))) else {
            return;
        };
        let is_prescribed = |line: &String| {
            let name = line.split(' ').next().unwrap_or_default();
            PRESCRIBED.contains(&name) && line.ends_with("abbreviated units")
        };
        let unknown = complaints.into_iter().filter(|line| !is_prescribed(line));
        found.extend(unknown.map(|line| format!("{server}: {line}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    let bad = complaints("# HELP a_total A gauge.\n# TYPE a_total gauge\na_total 1\n");
    assert!(
        bad.is_some_and(|bad| !bad.is_empty()),
        "the lint can complain"
    );
}

/// The rows of the page below a heading with this beginning.
fn rows<'a>(page: &'a str, title: &str) -> Vec<&'a str> {
    let section = page
        .split("\n## ")
        .find(|section| section.starts_with(title));
    let lines = section.unwrap_or_default().lines();
    lines.filter(|line| line.starts_with("| `")).collect()
}

/// The values of a metric's series; of a histogram those of its counts.
fn values(exposition: &str, name: &str) -> Vec<f64> {
    let of = [name.to_owned(), format!("{name}_count")];
    let lines = exposition.lines().filter(|line| {
        let (found, _) = line.split_once(['{', ' ']).unwrap_or((line, ""));
        of.iter().any(|one| one == found)
    });
    let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok());
    values.collect()
}

/// Metrics that a stack counts without any request: its own health checks, and its processor time.
const BY_ITSELF: [&str; 3] = [
    "detector_health_check_duration_ms",
    "sparring_mock_connections_total",
    "process_cpu_seconds_total",
];

/// Whether a metric of the page may be missing before the first request.
type Excused<'a> = &'a dyn Fn(&str, &BTreeSet<String>) -> bool;

fn what_is_missing(page: &str, title: &str, exposition: &str, excused: Excused<'_>) -> Vec<String> {
    let rows = rows(page, title);
    assert!(rows.len() > 10, "{title}: {rows:?}");
    let mut found = Vec::new();
    for row in rows {
        let mut cells = row.trim_start_matches("| `").split(" | ");
        let name = cells.next().unwrap_or_default().trim_end_matches('`');
        let kind = cells.next().unwrap_or_default();
        let values = values(exposition, name);
        if values.is_empty() && !excused(name, &described_labels(page, name)) {
            found.push(format!("{title}: {name} is not there from the start"));
        }
        let counts_events = kind != "gauge" && !BY_ITSELF.contains(&name);
        if counts_events && values.iter().any(|value| *value != 0.0) {
            found.push(format!("{title}: {name} does not begin at 0: {values:?}"));
        }
    }
    found
}

#[test]
fn every_metric_of_the_page_is_there_from_the_start() {
    let up = Up::start_with(FLEET, &["--systems", "all"]);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/METRICS.md");
    let page = std::fs::read_to_string(page).expect("the page exists");
    let exposition = |server: &str| get(&format!("{}/metrics", up.url(server)));
    let chosen_by_clients = |_: &str, labels: &BTreeSet<String>| labels.contains("tenant");
    let of_orchestrator = exposition("orchestrator");
    let mut missing = what_is_missing(&page, "Orchestrator", &of_orchestrator, &chosen_by_clients);
    missing.extend(what_is_missing(
        &page,
        "Mock",
        &exposition("one"),
        &|_, _| false,
    ));
    // A system without a part, such as a pool, has no series for it; each part exists in one of the four systems.
    let systems = ["acso", "aiaas", "acis", "agent360"]
        .map(exposition)
        .concat();
    missing.extend(what_is_missing(&page, "Simulated", &systems, &|_, _| false));
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
