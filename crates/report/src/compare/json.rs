//! A comparison as JSON.

use analysis::canary::Class;
use serde_json::{Value, json};

use super::{Compared, EndpointComparison, FigureComparison};

/// The whole comparison; relative numbers are ratios.
pub fn json(compared: &Compared) -> Value {
    let tests: Vec<Value> = compared
        .tests
        .iter()
        .map(|test| {
            json!({
                "test": test.title,
                "canary_score": test.canary_score(),
                "figures": test.lines.iter().map(line).collect::<Vec<_>>(),
                "endpoints": test.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "baseline": compared.baseline,
        "candidate": compared.candidate,
        "outcome": compared.outcome,
        "exit_code": compared.outcome.exit_code(),
        "tolerance": compared.options.tolerance,
        "confidence": compared.options.confidence,
        "percentile_method": compared.percentile_method,
        "canary_score": compared.canary_score(),
        "notes": compared.notes,
        "tests": tests,
    })
}

fn line(line: &FigureComparison) -> Value {
    json!({
        "figure": line.figure,
        "unit": line.unit,
        "change": line.change.name(),
        "baseline": line.baseline,
        "candidate": line.candidate,
        "relative_change": line.relative,
        "interval": line.interval,
        "p_value": line.p_value,
        "test": line.test,
        "superiority": line.superiority,
        "effect": line.magnitude,
        "minimal_detectable_change": line.minimal_detectable,
        "needs_per_side": line.needs_per_side,
        "decides": line.decides,
        "note": line.note,
        "canary": match line.canary {
            Class::Pass => Some("pass"),
            Class::High => Some("high"),
            Class::Low => Some("low"),
            Class::NoData => None,
        },
    })
}

fn endpoint(endpoint: &EndpointComparison) -> Value {
    let mut value = line(&endpoint.line);
    value["method"] = json!(endpoint.method);
    value["name"] = json!(endpoint.name);
    value["class"] = json!(endpoint.class);
    value
}
