//! The judgements of the fictitious runs.

use serde_json::json;

use crate::record::{Conclusion, Finding, Judgement, LedgerEntry, Severity, Standing};

pub fn judgement(
    id: &str,
    asked: &str,
    standing: Standing,
    values: (f64, [f64; 2], f64),
    unit: &str,
) -> Judgement {
    let (measured, interval, bound) = values;
    Judgement {
        id: id.to_owned(),
        kind: "threshold".to_owned(),
        asked: asked.to_owned(),
        phase: Some("steady".to_owned()),
        standing,
        measured: Some(measured),
        bound: Some(bound),
        interval: Some(interval),
        unit: unit.to_owned(),
        grade: None,
        needs_more: (standing == Standing::Inconclusive).then_some(368),
        proved: None,
        rule: "order-statistic interval against the bound".to_owned(),
    }
}

pub(super) fn finding() -> Finding {
    Finding {
        id: "load.f1".to_owned(),
        rule: "long_tail".to_owned(),
        severity: Severity::Warning,
        text: "POST /api/trading/execute has a long tail: its p99 is 5.2 times its median."
            .to_owned(),
        evidence: json!({
            "p50_ms": 118.2, "p99_ms": 614.9, "requests": 4712,
            "bottleneck": { "of": ["a_name_that_is_longer_than_a_phone_is_wide_and_has_no_blank_in_it"] },
        }),
        window_s: Some([60.0, 600.0]),
        action: "Look for a lock or a slow query in the trade path; cache what does not change."
            .to_owned(),
        falsified_by: "the p99 of the route alone, without load, is as high.".to_owned(),
    }
}

pub(super) fn ledger() -> Vec<LedgerEntry> {
    let entry = |what: &str, conclusion, text: &str| LedgerEntry {
        what: what.to_owned(),
        conclusion,
        text: text.to_owned(),
    };
    vec![
        entry(
            "send_rate",
            Conclusion::Valid,
            "99.98 % of the planned iterations started in time.",
        ),
        entry(
            "generator_cpu",
            Conclusion::Suspect,
            "The generator used 81 % of its cores for 12 s.",
        ),
        entry(
            "clock",
            Conclusion::Valid,
            "The wall clock moved by 0.3 ms against the monotonic one.",
        ),
    ]
}
