//! Runs one driver and takes down what can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::binary::sparring;

/// Whom to run.
pub enum Driver {
    /// k6 itself.
    Real(PathBuf),
    /// The binary under test.
    Ours,
}

/// What a run said; times and rates, which differ between any two runs, are left out.
#[derive(Debug, Default)]
pub struct Observation {
    pub exit: Option<i32>,
    /// What `console` wrote, in order.
    pub console: Vec<String>,
    /// Warnings and errors, without positions in stacks.
    pub log: Vec<String>,
    /// Metrics with their values that do not depend on time, and thresholds.
    pub summary: Vec<String>,
    pub checks: Vec<String>,
    /// First lines of metrics in the JSON output.
    pub declarations: Vec<String>,
    /// Metric and tags of every sample of the JSON output, and how often.
    pub series: Vec<String>,
}

/// Gauges and counters that depend on how fast a run was, or on headers of the driver.
const BY_CHANCE: [&str; 4] = ["vus", "vus_max", "data_sent", "data_received"];

pub fn observe(driver: &Driver, script: &Path, base: &str) -> Observation {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (export, samples) = (
        folder.path().join("summary.json"),
        folder.path().join("samples.json"),
    );
    let mut command = match driver {
        Driver::Real(path) => {
            let mut command = Command::new(path);
            command.args(["run", "--address", "127.0.0.1:0"]);
            command
        }
        Driver::Ours => {
            let mut command = sparring();
            command.arg("run");
            command
        }
    };
    command
        .arg("--quiet")
        .arg("--no-usage-report")
        .arg("-e")
        .arg(format!("BASE={base}"));
    command.arg("--summary-export").arg(&export);
    command.arg("-o").arg(format!("json={}", samples.display()));
    command.args(flags(script)).arg(script);
    let output = command.output().expect("the driver can be started");
    let mut seen = Observation {
        exit: output.status.code(),
        ..Observation::default()
    };
    read_log(&String::from_utf8_lossy(&output.stderr), &mut seen);
    if let Ok(text) = std::fs::read_to_string(&export) {
        read_summary(
            &serde_json::from_str(&text).expect("the export is JSON"),
            &mut seen,
        );
    }
    read_samples(
        &std::fs::read_to_string(&samples).unwrap_or_default(),
        base,
        &mut seen,
    );
    seen
}

fn flags(script: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(script).expect("scripts can be read");
    let line = text.lines().next().unwrap_or_default();
    let flags = line.strip_prefix("// flags: ").unwrap_or_default();
    flags.split_whitespace().map(str::to_owned).collect()
}

/// Reads `time="…" level=info msg="…" source=console`.
fn read_log(text: &str, seen: &mut Observation) {
    for line in text.lines() {
        let Some((_, rest)) = line.split_once(" level=") else {
            continue;
        };
        let (level, rest) = rest.split_once(" msg=").unwrap_or((rest, ""));
        if rest.ends_with(" source=console") {
            seen.console.push(format!(
                "{level} {}",
                rest.trim_end_matches(" source=console")
            ));
            continue;
        }
        // Only the first line of a stack; what comes after a colon is the engine's own wording.
        let message = rest.trim_start_matches('"');
        let end = message.find(['\\', '"']).unwrap_or(message.len());
        let first = message[..end].split(" (file:").next().unwrap_or_default();
        let first = first.split(": file:").next().unwrap_or_default();
        let words: Vec<&str> = first.split_whitespace().take(4).collect();
        seen.log.push(format!("{level} {}", words.join(" ")));
    }
    seen.log.sort();
}

fn read_summary(summary: &Value, seen: &mut Observation) {
    let empty = serde_json::Map::new();
    let metrics = summary["metrics"].as_object().unwrap_or(&empty);
    for (name, metric) in metrics {
        let by_chance = BY_CHANCE.contains(&name.as_str());
        if by_chance && name.starts_with("vus") {
            continue;
        }
        let is_trend = metric.get("avg").is_some() || metric.get("med").is_some();
        let values = metric
            .as_object()
            .unwrap_or(&empty)
            .iter()
            .map(|(key, value)| {
                let steady = !is_trend && key != "rate" && !by_chance && key != "thresholds";
                let sorted = || {
                    value
                        .as_object()
                        .map(|map| map.iter().collect::<BTreeMap<_, _>>())
                };
                match key.as_str() {
                    "thresholds" => format!("thresholds={:?}", sorted().unwrap_or_default()),
                    _ if steady => format!("{key}={}", value.as_f64().unwrap_or(f64::NAN)),
                    _ => key.clone(),
                }
            });
        let values: BTreeSet<String> = values.collect();
        let values: Vec<String> = values.into_iter().collect();
        seen.summary.push(format!("{name}: {}", values.join(" ")));
    }
    seen.summary.sort();
    read_group(&summary["root_group"], seen);
    seen.checks.sort();
}

fn read_group(group: &Value, seen: &mut Observation) {
    seen.checks
        .push(format!("group {} {}", group["path"], group["id"]));
    for check in group["checks"]
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::values)
    {
        let (path, id) = (&check["path"], &check["id"]);
        seen.checks.push(format!(
            "{path} {id} {} {}",
            check["passes"], check["fails"]
        ));
    }
    for inner in group["groups"]
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::values)
    {
        read_group(inner, seen);
    }
}

fn read_samples(text: &str, base: &str, seen: &mut Observation) {
    let mut series: BTreeMap<String, usize> = BTreeMap::new();
    for line in text.lines() {
        let sample: Value = serde_json::from_str(line).expect("each line is JSON");
        let name = sample["metric"].as_str().unwrap_or_default();
        if name == "vus" || name == "vus_max" {
            continue;
        }
        if sample["type"] == "Metric" {
            seen.declarations.push(line.to_owned());
            continue;
        }
        let empty = serde_json::Map::new();
        let tags: BTreeMap<_, _> = sample["data"]["tags"]
            .as_object()
            .unwrap_or(&empty)
            .iter()
            .collect();
        let shown = format!("{name} {tags:?}").replace(base, "BASE");
        *series.entry(shown).or_default() += 1;
    }
    seen.declarations.sort();
    seen.series = series
        .into_iter()
        .map(|(series, count)| format!("{count} × {series}"))
        .collect();
}
