//! Levels of resources: A360-17, A360-19, ACSO-35, ACSO-52 (resource exhaustion).

use report::record::Severity;
use serde_json::{Value, json};

use super::super::verdict::number;
use super::{Facts, Found, above, evidence};

/// ACSO-35: warning and critical.
const WARNING: f64 = 0.70;
const CRITICAL: f64 = 0.85;
const EXHAUSTED: f64 = 0.85;

pub(super) fn find(facts: &Facts<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    if let Some(cpu) = above(facts.cpu, 0.8) {
        found.push(Found {
            rule: "cpu_bottleneck",
            severity: Severity::Critical,
            text: format!(
                "The processor is busy for {} % at the highest load.",
                number(cpu * 100.0)
            ),
            evidence: evidence("cpu_ratio", cpu, 0.8),
            window_s: facts.window_s(),
            action: "Scale up CPU resources.",
            falsified_by: "The same load with more cores that does not answer faster.",
        });
    }
    if let Some(cpu) = above(facts.cpu, 0.7) {
        found.push(Found {
            rule: "scale_out",
            severity: Severity::Info,
            text: format!("The processor is busy for {} %, which leaves little room for peaks.", number(cpu * 100.0)),
            evidence: evidence("cpu_ratio", cpu, 0.7),
            window_s: facts.window_s(),
            action: "Consider horizontal scaling of pods.",
            falsified_by: "The same load on two instances that does not lower the busy share of each.",
        });
    }
    if facts.case.file.suite == "acso" {
        found.extend(level(facts, "cpu_level", "processor", facts.cpu));
        found.extend(level(facts, "memory_level", "memory", facts.memory));
    }
    found.extend(exhausted(facts, "memory_exhausted", "memory", facts.memory));
    found.extend(exhausted(facts, "io_exhausted", "disk", facts.disk));
    found.extend(leaks(facts));
    found
}

fn level(facts: &Facts<'_>, rule: &'static str, what: &str, value: Option<f64>) -> Option<Found> {
    let value = above(value, WARNING)?;
    let is_critical = value > CRITICAL;
    let bound = if is_critical { CRITICAL } else { WARNING };
    Some(Found {
        rule,
        severity: if is_critical {
            Severity::Critical
        } else {
            Severity::Warning
        },
        text: format!(
            "The {what} is used to {} %, above the level of {} %.",
            number(value * 100.0),
            number(bound * 100.0)
        ),
        evidence: evidence(rule, value, bound),
        window_s: facts.window_s(),
        action: "Scale the resource before the load grows further.",
        falsified_by: "A longer run at this load in which the share falls below the level.",
    })
}

fn exhausted(
    facts: &Facts<'_>,
    rule: &'static str,
    what: &str,
    value: Option<f64>,
) -> Option<Found> {
    let value = above(value, EXHAUSTED)?;
    let action = if what == "memory" {
        "Look at the pattern of memory use, and raise the limit or hold less in memory."
    } else {
        "Batch the writes, or provide more input and output operations per second."
    };
    Some(Found {
        rule,
        severity: Severity::Critical,
        text: format!("The {what} is nearly used up: {} %.", number(value * 100.0)),
        evidence: evidence(rule, value, EXHAUSTED),
        window_s: facts.window_s(),
        action,
        falsified_by: "The same load with a higher limit and the same answers.",
    })
}

/// Each growing series of a soak (ACSO-52, N-11).
fn leaks(facts: &Facts<'_>) -> Vec<Found> {
    let series = facts.sheet.found("soak").and_then(Value::as_array);
    let leaking = series
        .into_iter()
        .flatten()
        .filter(|it| it.get("verdict").and_then(Value::as_str) == Some("leak"));
    leaking
        .map(|it| Found {
            rule: "leak",
            severity: Severity::Critical,
            text: it.get("text").and_then(Value::as_str).unwrap_or("Something grows.").to_owned(),
            evidence: json!({ "slope_per_s": it.get("slope_per_s"), "interval": it.get("interval"),
                "time_to_limit_s": it.get("time_to_limit_s") }),
            window_s: facts.window_s(),
            action: "Compare two heap profiles an hour apart, and release what only the second one holds.",
            falsified_by: "A run twice as long whose second half does not grow.",
        })
        .collect()
}
