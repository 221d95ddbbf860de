//! Findings about scaling from a ladder: ACSO-52 (scalability), by the coefficients of the scalability law.

use report::record::Severity;
use serde_json::{Value, json};

use super::super::verdict::number;
use super::{Facts, Found};

/// The `usl` vignette calls 3 % contention excellent.
const CONTENTION: f64 = 0.03;
/// ACSO-36.
const RETENTION: f64 = 0.7;

pub(super) fn find(facts: &Facts<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    found.extend(synchronisation(facts));
    found.extend(communication(facts));
    found.extend(shared_contention(facts));
    found
}

/// The lower end of a coefficient's interval and its estimate.
fn coefficient(facts: &Facts<'_>, name: &str) -> Option<(f64, f64)> {
    let found = facts.sheet.found("usl")?.get(name)?;
    let lower = found.get("interval")?.get(0)?.as_f64()?;
    Some((lower, found.get("estimate").and_then(Value::as_f64)?))
}

fn synchronisation(facts: &Facts<'_>) -> Option<Found> {
    let (_, alpha) = coefficient(facts, "alpha").filter(|(lower, _)| *lower > CONTENTION)?;
    Some(Found {
        rule: "synchronisation",
        severity: Severity::Warning,
        text: format!(
            "{} % of the work queues for a resource that only one user can hold at a time.",
            number(alpha * 100.0)
        ),
        evidence: json!({ "usl": facts.sheet.found("usl"), "bound": CONTENTION }),
        window_s: None,
        action: "Find the lock, the single writer or the sequential step, and split it.",
        falsified_by: "More steps of the ladder whose fit puts the contention below 3 %.",
    })
}

fn communication(facts: &Facts<'_>) -> Option<Found> {
    let (_, beta) = coefficient(facts, "beta").filter(|(lower, _)| *lower > 0.0)?;
    Some(Found {
        rule: "communication",
        severity: Severity::Warning,
        text: format!(
            "Each pair that has to agree costs {} of one user's work, so that throughput has a peak.",
            number(beta)
        ),
        evidence: json!({ "usl": facts.sheet.found("usl") }),
        window_s: None,
        action: "Reduce the communication between instances: fewer broadcasts, coarser invalidation, partitioned data.",
        falsified_by: "Steps beyond the predicted peak at which throughput still rises.",
    })
}

fn shared_contention(facts: &Facts<'_>) -> Option<Found> {
    let steps = facts.sheet.found("ladder/steps")?.as_array()?;
    let last = steps
        .last()?
        .get("efficiency")?
        .as_f64()
        .filter(|it| *it < RETENTION)?;
    let (class, of) = facts.bottleneck()?;
    let place = of.map_or_else(String::new, |of| format!(" of {of}"));
    Some(Found {
        rule: "shared_contention",
        severity: Severity::Warning,
        text: format!(
            "At the last step a user gets {} % of what the first one gets, and the {class}{place} is what they share.",
            number(last * 100.0)
        ),
        evidence: json!({ "efficiency": last, "bound": RETENTION, "bottleneck": facts.sheet.found("bottleneck") }),
        window_s: facts.window_s(),
        action: "Give each user's work its own share of the resource, or more of the resource.",
        falsified_by: "The same ladder with twice the resource and the same efficiency.",
    })
}
