//! Positive findings, and how to use the numbers: ACSO-49, ACSO-58.

use report::record::Severity;
use serde_json::{Value, json};

use super::super::verdict::number;
use super::super::{grades, window};
use super::{Facts, Found};

pub(super) fn find(facts: &Facts<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    found.extend(acceptable(facts));
    found.extend(memory_stable(facts));
    found.extend(limit_known(facts));
    found
}

/// Every steady level reaches the grade acceptable.
fn acceptable(facts: &Facts<'_>) -> Option<Found> {
    let windows = window::steady(facts.case.test, facts.case.record);
    let slow = facts
        .mean_ms
        .is_some_and(|it| it > super::performance::SLOW_MS)
        || facts
            .p95_ms
            .is_some_and(|it| it > super::performance::SLOW_MS);
    let graded = !slow && !facts.case.file.grades.is_empty() && !windows.is_empty();
    let broken = windows
        .iter()
        .any(|it| !grades::broken(facts.case.file, it).is_empty());
    (graded && !broken).then(|| Found {
        rule: "response_acceptable",
        severity: Severity::Info,
        text: "Response times and failures are acceptable at all measured load levels.".to_owned(),
        evidence: json!({ "levels": windows.iter().filter_map(|it| it.level).collect::<Vec<f64>>() }),
        window_s: None,
        action: "Keep these figures as a baseline.",
        falsified_by: "A level within the measured range whose grade is below acceptable.",
    })
}

fn memory_stable(facts: &Facts<'_>) -> Option<Found> {
    let series = facts.sheet.found("soak").and_then(Value::as_array)?;
    let is_memory = |it: &&Value| {
        let name = it.get("series").and_then(Value::as_str);
        name.is_some_and(|name| name.starts_with("memory"))
    };
    let memory: Vec<&Value> = series.iter().filter(is_memory).collect();
    let stable = |it: &&Value| it.get("verdict").and_then(Value::as_str) == Some("no_leak");
    (!memory.is_empty() && memory.iter().all(stable)).then(|| Found {
        rule: "memory_stable",
        severity: Severity::Info,
        text: "Memory use is stable; no leak was found.".to_owned(),
        evidence: json!({ "series": memory }),
        window_s: facts.window_s(),
        action: "Nothing has to be done.",
        falsified_by: "A longer run in which memory grows faster than this run could detect.",
    })
}

/// ACSO-58: the limit of the measured range, for planning.
fn limit_known(facts: &Facts<'_>) -> Option<Found> {
    let users = facts.number("ladder/max_stable_users")?;
    Some(Found {
        rule: "stable_users",
        severity: Severity::Info,
        text: format!("The system is stable up to {} users.", number(users)),
        evidence: json!({ "max_stable_users": users, "saturation_point": facts.number("ladder/saturation_point") }),
        window_s: None,
        action: "Plan for three to five times the present need, and document this limit.",
        falsified_by: "A ladder in which a step at or below this load is unstable.",
    })
}
