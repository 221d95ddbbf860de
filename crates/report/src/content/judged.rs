//! Judgements, findings, truths and the validity ledger as tables.

use super::Limits;
use super::events::text;
use crate::chart::range;
use crate::escape::clipped;
use crate::number::{DASH, more_requests, with_unit};
use crate::record::{Conclusion, Finding, Judgement, Severity, Standing, TestRecord};
use crate::table::{Cell, Table};

/// The requirements and their results, crossed ones first.
pub fn judgements(test: &TestRecord, limits: &Limits) -> Table {
    let mut table = Table::new(
        "Judgements",
        &[
            "requirement",
            "result",
            "#measured",
            "95 % interval and bound",
            "#bound",
            "grade",
            "id",
        ],
    );
    let mut order: Vec<&Judgement> = test.judgements.iter().collect();
    // A stable sort: equal ones remain in the order of the record.
    order.sort_by_key(|judgement| rank(judgement.standing));
    table.folded = order.len().saturating_sub(limits.entries);
    table.folded_name = "judgements";
    for judgement in order.into_iter().take(limits.entries) {
        table.row(judgement_row(judgement, limits));
    }
    table.without_empty_columns()
}

fn judgement_row(judgement: &Judgement, limits: &Limits) -> Vec<Cell> {
    let (word, mark) = standing(judgement.standing);
    let word = match (judgement.proof(), judgement.needs_more) {
        (Some(proof), _) => format!("{word}, {proof}"),
        (None, Some(more)) => format!("{word}: needs {}", more_requests(more)),
        (None, None) => word.to_owned(),
    };
    let unit = judgement.unit.as_str();
    let amount = |value: Option<f64>| {
        value
            .filter(|value| value.is_finite())
            .map_or_else(|| DASH.to_owned(), |value| with_unit(value, unit))
    };
    let drawing = judgement
        .measured
        .zip(judgement.bound)
        .map(|(measured, bound)| range(measured, judgement.interval, bound))
        .filter(|drawing| !drawing.is_empty());
    let interval = match judgement.interval {
        Some([low, high]) => format!("{} to {}", amount(Some(low)), amount(Some(high))),
        None if drawing.is_some() => String::new(),
        None => DASH.to_owned(),
    };
    vec![
        clipped(&judgement.asked, limits.text).into(),
        Cell::marked(word, mark),
        amount(judgement.measured).into(),
        Cell {
            text: interval,
            mark: None,
            drawing,
        },
        amount(judgement.bound).into(),
        judgement.grade.as_deref().unwrap_or(DASH).into(),
        Cell::marked(clipped(&judgement.id, limits.text), "id"),
    ]
}

fn rank(standing: Standing) -> u8 {
    match standing {
        Standing::Crossed => 0,
        Standing::NoData => 1,
        Standing::Inconclusive => 2,
        Standing::Held => 3,
        Standing::Reported => 4,
    }
}

/// The word and the mark of a standing.
pub fn standing(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Held => ("✓ held", "good"),
        Standing::Crossed => ("✕ crossed", "bad"),
        Standing::Inconclusive => ("? inconclusive", "warn"),
        Standing::NoData => ("∅ no data", "warn"),
        Standing::Reported => ("· reported", "quiet"),
    }
}

/// The findings of a test, the most severe first.
pub fn findings(test: &TestRecord) -> Vec<&Finding> {
    let mut findings: Vec<&Finding> = test.findings.iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

pub fn severity(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Info => ("info", "info"),
        Severity::Warning => ("warning", "warn"),
        Severity::Critical => ("critical", "bad"),
    }
}

/// The results of the analysis beside the truth of the simulated target.
pub fn truths(test: &TestRecord, limits: &Limits) -> Table {
    let mut table = Table::new(
        "Estimates and truth",
        &["figure", "#found", "95 % interval", "#true", "agrees"],
    );
    for truth in &test.truth {
        let agrees = match truth.agrees {
            Some(true) => Cell::marked("✓ yes", "good"),
            Some(false) => Cell::marked("✕ no", "bad"),
            None => Cell::marked(DASH, "quiet"),
        };
        let interval = truth.interval.map(|[low, high]| {
            format!(
                "{} to {}",
                crate::number::figure(low),
                crate::number::figure(high)
            )
        });
        table.row(vec![
            clipped(&truth.what, limits.text).into(),
            clipped(&text(&truth.found), limits.text).into(),
            interval.unwrap_or_else(|| DASH.to_owned()).into(),
            clipped(&text(&truth.truth), limits.text).into(),
            agrees,
        ]);
    }
    table
}

/// The trustworthiness of the measurement, worst entries first.
pub fn ledger(test: &TestRecord, limits: &Limits) -> Table {
    let mut table = Table::new("Validity ledger", &["what", "conclusion", "figures"]);
    let mut entries: Vec<_> = test.ledger.iter().collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.conclusion));
    table.folded = entries.len().saturating_sub(limits.entries);
    table.folded_name = "entries";
    for entry in entries.into_iter().take(limits.entries) {
        let (word, mark) = conclusion(entry.conclusion);
        table.row(vec![
            entry.what.replace('_', " ").into(),
            Cell::marked(word, mark),
            clipped(&entry.text, limits.text).into(),
        ]);
    }
    table
}

pub fn conclusion(conclusion: Conclusion) -> (&'static str, &'static str) {
    match conclusion {
        Conclusion::Valid => ("✓ valid", "good"),
        Conclusion::Suspect => ("? suspect", "warn"),
        Conclusion::Invalid => ("✕ invalid", "bad"),
    }
}
