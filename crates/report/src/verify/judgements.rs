//! Checks standings against measurements, and the outcome against the standings.

use super::{Computed, Verified};
use crate::alerting;
use crate::record::{Conclusion, Figures, Judgement, Outcome, PhaseRecord, Standing, TestRecord};

/// Tolerance of measured values, which may come from another histogram.
const SLACK: f64 = 1e-6;

pub fn test(test: &TestRecord, path: &str, verified: &mut Verified) {
    let mut ids: Vec<&str> = test
        .judgements
        .iter()
        .map(|judgement| judgement.id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    verified.holds(
        &format!("{path}.judgements"),
        ids.len() == test.judgements.len(),
        || "an id is duplicated".to_owned(),
    );
    let mut worst = Outcome::Passed;
    for (at, judgement) in test.judgements.iter().enumerate() {
        let path = format!("{path}.judgements[{at}] ({})", judgement.id);
        standing(test, judgement, &path, verified);
        measured(test, judgement, &path, verified);
        worst = worst.worst(judgement.standing.outcome());
    }
    let recorded = test.outcome;
    verified.holds(
        &format!("{path}.outcome"),
        // A running test is not judged yet.
        recorded == Outcome::Running || recorded.worst(worst) == recorded,
        || format!("is {recorded:?}, but a judgement had {worst:?}"),
    );
    if let Some(recorded) = test.analysis.get(alerting::KEY) {
        let replayed = alerting::replay(test).and_then(|replay| serde_json::to_value(replay).ok());
        verified.holds(
            &format!("{path}.analysis.{}", alerting::KEY),
            replayed.as_ref() == Some(recorded),
            || "differs from the value computed from the thresholds and the seconds".to_owned(),
        );
    }
    let is_invalid = test
        .ledger
        .iter()
        .any(|entry| entry.conclusion == Conclusion::Invalid);
    verified.holds(
        &format!("{path}.outcome"),
        !(is_invalid && recorded == Outcome::Passed),
        || "is passed, but the measurement is not valid".to_owned(),
    );
}

/// Which values are good, as far as the requirement states it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Good {
    Below,
    Above,
}

fn good(asked: &str) -> Option<Good> {
    let below = asked.contains('<') || asked.contains("at most") || asked.contains("below");
    let above = asked.contains('>') || asked.contains("at least") || asked.contains("above");
    match (below, above) {
        (true, false) => Some(Good::Below),
        (false, true) => Some(Good::Above),
        _ => None,
    }
}

fn standing(test: &TestRecord, judgement: &Judgement, path: &str, verified: &mut Verified) {
    let Some(measured) = judgement.measured else {
        let no_value = matches!(
            judgement.standing,
            Standing::NoData | Standing::Reported | Standing::Inconclusive
        );
        let is_flag = judgement.bound.is_none();
        verified.holds(path, no_value || is_flag, || {
            format!("is {:?} without a measured value", judgement.standing)
        });
        return;
    };
    if let Some([low, high]) = judgement.interval {
        let slack = SLACK * measured.abs();
        verified.holds(
            path,
            measured >= low - slack && measured <= high + slack,
            || format!("the measured {measured} is outside its interval, {low} to {high}"),
        );
    }
    let (Some(bound), Some(good)) = (judgement.bound, good(&judgement.asked)) else {
        return;
    };
    // Equality belongs to either side: the requirement may be "at most".
    let is_good = |value: f64| match good {
        Good::Below => value <= bound,
        Good::Above => value >= bound,
    };
    let is_bad = |value: f64| match good {
        Good::Below => value >= bound,
        Good::Above => value <= bound,
    };
    let fits = match judgement.standing {
        Standing::Held => is_good(measured) || is_within_edges(test, judgement, measured),
        Standing::Crossed => is_bad(measured),
        _ => true,
    };
    verified.holds(path, fits, || {
        format!(
            "is {:?}, but {measured} was measured and the bound is {bound}",
            judgement.standing
        )
    });
    if let (Standing::Inconclusive, Some([low, high])) = (judgement.standing, judgement.interval) {
        verified.holds(path, low <= bound && bound <= high, || {
            format!("is inconclusive, but the bound of {bound} is outside {low} to {high}")
        });
    }
}

/// Whether the bound is the arrival rate of the phase, and the difference at most the requests in flight at
/// the edges of its window: throughput times response time (Little 1961).
fn is_within_edges(test: &TestRecord, judgement: &Judgement, measured: f64) -> bool {
    let is_rate = ["rate_per_s", "rps", "requests_per_s", "ops_per_s"].contains(&named(judgement));
    let (true, Some(bound), Some(phase)) = (is_rate, judgement.bound, phase(test, judgement))
    else {
        return false;
    };
    let response_ms = phase.figures.latency.as_ref().map_or(0.0, |it| it.mean);
    let in_flight = measured * response_ms / 1_000.0 + 1.0;
    phase.rate_per_s == Some(bound)
        && (bound - measured).abs() * phase.figures.seconds <= in_flight * (1.0 + SLACK)
}

/// The only phase with the name that the judgement has.
fn phase<'a>(test: &'a TestRecord, judgement: &Judgement) -> Option<&'a PhaseRecord> {
    let name = judgement.phase.as_ref()?;
    let mut phases = test.phases.iter().filter(|phase| phase.name == *name);
    phases.next().filter(|_| phases.next().is_none())
}

/// The figure that the requirement begins with.
fn named(judgement: &Judgement) -> &str {
    let mut words = judgement.asked.split([' ', '<', '>', '=']);
    words.next().unwrap_or_default()
}

/// The measured value, if the requirement names a figure of the test or of a phase.
fn measured(test: &TestRecord, judgement: &Judgement, path: &str, verified: &mut Verified) {
    let figures = match (&judgement.phase, phase(test, judgement)) {
        (None, _) => &test.figures,
        (_, Some(phase)) => &phase.figures,
        (Some(_), None) => return,
    };
    let Some((recorded, value)) =
        judgement
            .measured
            .zip(figure(figures, named(judgement), &judgement.unit))
    else {
        return;
    };
    let computed = Computed {
        value,
        slack: SLACK,
        from: "the figures of its window",
    };
    verified.close(path, recorded, &computed);
}

/// A figure by its name in requirements; `None` for other names.
fn figure(figures: &Figures, name: &str, unit: &str) -> Option<f64> {
    match (name, unit) {
        ("error_rate", "ratio") => figures.error_rate(),
        ("success_rate", "ratio") => figures.success_rate(),
        ("avg_ms" | "mean_ms", "ms") => figures.latency.as_ref().map(|latency| latency.mean),
        (name, "ms") => figures.percentile(name.strip_suffix("_ms").unwrap_or(name)),
        _ => None,
    }
}
