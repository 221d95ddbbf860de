//! The outcome of a test, and its reasons as sentences.

use report::record::{Conclusion, Judgement, Outcome, Standing, TestRecord};

use super::verdict::number;
use crate::plan::PlannedTest;

/// Maximum number of sentences of one kind.
const SPELT_OUT: usize = 5;
/// A length is shown to the second: a smaller difference from the plan is none, in seconds.
const ROUNDED_S: f64 = 0.5;

/// The worst of all judgements; a test without measurements or requirements, or with an invalid measurement, is
/// untrusted (exit 5). An outcome set by the runner (interrupted, failed) remains.
pub(super) fn conclude(test: &PlannedTest, record: &mut TestRecord) {
    let standings = record.judgements.iter().map(|it| it.standing.outcome());
    let mut outcome = standings.fold(kept(record.outcome), Outcome::worst);
    let mut reasons = Vec::new();
    if record
        .judgements
        .iter()
        .all(|it| it.standing == Standing::Reported)
        && !asks_elsewhere(record)
    {
        outcome = outcome.worst(Outcome::Untrusted);
        reasons.push(nothing_judged(test));
    }
    if record
        .ledger
        .iter()
        .any(|it| it.conclusion == Conclusion::Invalid)
    {
        outcome = outcome.worst(Outcome::Untrusted);
    }
    if !record.complete {
        outcome = outcome.worst(Outcome::Inconclusive);
        if ended_early(test, record.duration_s) {
            reasons.push("The test ended before its planned end.".to_owned());
        }
    }
    let mut all = of_ledger(record, Conclusion::Invalid);
    all.extend(reasons);
    for standing in [Standing::NoData, Standing::Crossed, Standing::Inconclusive] {
        all.extend(of_judgements(record, standing));
    }
    all.extend(of_ledger(record, Conclusion::Suspect));
    all.extend(left_open(record));
    if !record.complete {
        // The runner states why it ended.
        let said = record.reasons.iter().filter(|it| !all.contains(it));
        let said: Vec<String> = said.cloned().collect();
        all.splice(0..0, said);
    }
    record.outcome = outcome;
    record.reasons = all;
}

/// Whether a test of this length, in seconds, is shorter than its plan. The end of a test without phases is not
/// planned, so that the runner's reason alone says why it is not complete.
fn ended_early(test: &PlannedTest, duration_s: f64) -> bool {
    let planned_s = test.phases.iter().map(|phase| phase.end_s).reduce(f64::max);
    planned_s.is_some_and(|planned_s| duration_s < planned_s - ROUNDED_S)
}

/// Outcomes that only the runner can determine; a judgement cannot change them.
fn kept(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Interrupted | Outcome::Internal | Outcome::Usage | Outcome::Regression => outcome,
        _ => Outcome::Passed,
    }
}

/// Whether this is a cell whose only question is answered over all cells.
fn asks_elsewhere(record: &TestRecord) -> bool {
    record.judgements.iter().any(|it| it.kind == "named")
}

fn nothing_judged(test: &PlannedTest) -> String {
    if test.judge.is_empty() {
        "The test has no requirements, so it cannot pass.".to_owned()
    } else {
        "None of the requirements could be judged.".to_owned()
    }
}

fn of_ledger(record: &TestRecord, conclusion: Conclusion) -> Vec<String> {
    let entries = record
        .ledger
        .iter()
        .filter(|it| it.conclusion == conclusion);
    entries.map(|entry| entry.text.clone()).collect()
}

fn of_judgements(record: &TestRecord, standing: Standing) -> Vec<String> {
    let those = record
        .judgements
        .iter()
        .filter(|it| it.standing == standing);
    let mut sentences: Vec<String> = those.map(sentence).collect();
    if sentences.len() > SPELT_OUT {
        let more = sentences.len() - SPELT_OUT;
        sentences.truncate(SPELT_OUT);
        sentences.push(match more {
            1 => format!("1 more judgement {}.", of_one(standing)),
            _ => format!("{more} more judgements {}.", of_several(standing)),
        });
    }
    sentences
}

fn of_one(standing: Standing) -> &'static str {
    match standing {
        Standing::Held => "holds",
        Standing::Crossed => "is crossed",
        Standing::Inconclusive => "is undecided",
        Standing::NoData => "has no data",
        Standing::Reported => "is reported",
    }
}

fn of_several(standing: Standing) -> &'static str {
    match standing {
        Standing::Held => "hold",
        Standing::Crossed => "are crossed",
        Standing::Inconclusive => "are undecided",
        Standing::NoData => "have no data",
        Standing::Reported => "are reported",
    }
}

/// `p95_ms < 2000 ms in steady is crossed: 2150 ms (2100 to 2210).`
pub(super) fn sentence(judgement: &Judgement) -> String {
    let asked = &judgement.asked;
    let unit = super::grades::shown(&judgement.unit);
    let measured = judgement
        .measured
        .map(|value| format!("{}{unit}", number(value)));
    let between = judgement
        .interval
        .map_or_else(String::new, |[lower, upper]| {
            format!(" ({} to {})", number(lower), number(upper))
        });
    match judgement.standing {
        Standing::NoData => format!("No data for: {asked}."),
        Standing::Crossed => match measured {
            Some(measured) => format!("Crossed: {asked}; measured {measured}{between}."),
            None => format!("Crossed: {asked}."),
        },
        Standing::Inconclusive => {
            let measured =
                measured.map_or_else(String::new, |it| format!("; measured {it}{between}"));
            let needs = judgement.needs_more.map_or_else(String::new, |more| {
                let noun = if more == 1 { "request" } else { "requests" };
                format!("; about {more} more {noun} would decide it")
            });
            format!("Undecided: {asked}{measured}{needs}.")
        }
        Standing::Held | Standing::Reported => format!("{asked}."),
    }
}

/// Thresholds that hold in the sample, but are not proved by it.
fn left_open(record: &TestRecord) -> Option<String> {
    let open = |it: &&Judgement| it.standing == Standing::Held && it.proved == Some(false);
    let open: Vec<&Judgement> = record.judgements.iter().filter(open).collect();
    if open.is_empty() {
        return None;
    }
    let most = open.iter().filter_map(|it| it.needs_more).max();
    let thresholds = match open.len() {
        1 => "1 threshold".to_owned(),
        several => format!("{several} thresholds"),
    };
    let needed = most.map_or_else(String::new, |most| {
        let values = if most == 1 { "value" } else { "values" };
        format!("; {most} more {values} are needed")
    });
    Some(format!(
        "{thresholds} held, but the sample is too small to prove it{needed}."
    ))
}
