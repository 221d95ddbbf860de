//! The recovery time of the target after the highest load (ACSO-31, AIA-05, ACIS-24).

use analysis::distribution::binomial_at_least;
use analysis::threshold::Limit;
use report::record::{Second, Standing};
use serde_json::json;

use super::decide::{Decision, limit};
use super::expression::Bound;
use super::verdict::{Question, Sheet, decided};
use super::{Case, grades, window};
use crate::file::{Grade, GradeName};

/// The number of consecutive good seconds of a recovery.
const STABLE_S: usize = 5;
/// A second's failures count as bad if chance explains them less often than this.
const BY_CHANCE: f64 = 0.01;
/// Without a grade: responses may take this many times as long as before.
const SLOWER: f64 = 2.0;
const FAILING: f64 = 0.05;

const RULE: &str = "from the end of the highest load to the first five consecutive seconds within the graded bounds; without load, the seconds of the probes";

pub(super) fn judge(case: &Case<'_>, sheet: &mut Sheet) {
    let asked = case.test.judge.recovery_within;
    let is_named = case.test.judge.names.iter().any(|name| name == "recovery");
    if asked.is_none() && !is_named {
        return;
    }
    let measured = measure(case);
    sheet
        .analysis
        .insert("recovery".to_owned(), shown(measured));
    let Some(within) = asked else {
        return;
    };
    let within_s = within.get().as_secs_f64();
    let bound = Bound::Limit(Limit::at_most(within_s));
    let decision = match measured {
        Recovery::After(seconds) => Decision::plain(Some(seconds), bound),
        Recovery::Never { .. } => decided(Standing::Crossed),
        Recovery::Unseen => Decision::NO_DATA,
    };
    let question = Question {
        kind: "recovery",
        name: "within",
        phase: None,
        unit: "s",
        rule: RULE,
    };
    let asked = format!("recovered within {within_s} s");
    sheet.answer(question, &asked, bound, decision);
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Recovery {
    After(f64),
    /// Not within the observed seconds.
    Never {
        watched_s: f64,
    },
    /// No request and no probe after the highest load, or no highest load.
    Unseen,
}

fn shown(measured: Recovery) -> serde_json::Value {
    match measured {
        Recovery::After(seconds) => json!({ "recovered": true, "after_s": seconds }),
        Recovery::Never { watched_s } => {
            json!({ "recovered": false, "after_s": null, "watched_s": watched_s })
        }
        Recovery::Unseen => json!({ "recovered": null, "after_s": null }),
    }
}

fn measure(case: &Case<'_>) -> Recovery {
    let Some(from_s) = end_of_highest(case) else {
        return Recovery::Unseen;
    };
    let after = seconds_after(case, from_s);
    if after.is_empty() {
        return Recovery::Unseen;
    }
    let bounds = Bounds::of(case, from_s);
    // A short rest has fewer seconds in which to be stable.
    let stable = STABLE_S.min(after.len());
    let mut well = 0;
    for (place, second) in after.iter().enumerate() {
        well = if bounds.holds(second) { well + 1 } else { 0 };
        if well >= stable {
            let first = after[place + 1 - stable];
            return Recovery::After((first.at_s - from_s).max(0.0));
        }
    }
    let watched_s = after.last().map_or(0.0, |last| last.at_s + 1.0 - from_s);
    Recovery::Never { watched_s }
}

/// The seconds of load after the highest load, and of probes. Probes are never sent during load, so the second in which
/// they begin is theirs.
fn seconds_after<'a>(case: &Case<'a>, from_s: f64) -> Vec<&'a Second> {
    let load = case.record.seconds.iter();
    let load = load.filter(|second| second.at_s >= from_s && second.requests > 0);
    let probes = case.record.probes.iter();
    let probes = probes.filter(|second| second.at_s + 1.0 > from_s);
    let mut after: Vec<&Second> = load.chain(probes).collect();
    after.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    after
}

/// When the last phase at the highest level ends; `None` if no load follows it.
fn end_of_highest(case: &Case<'_>) -> Option<f64> {
    let phases = &case.record.phases;
    let level = |it: &report::record::PhaseRecord| it.users.or(it.rate_per_s).unwrap_or(0.0);
    let highest = phases.iter().map(level).reduce(f64::max)?;
    let last = phases.iter().rposition(|it| level(it) >= highest)?;
    phases.get(last + 1)?;
    Some(phases[last].end_s)
}

/// The bounds of a good second.
struct Bounds {
    mean_ms: Option<f64>,
    p95_ms: Option<f64>,
    failures: f64,
}

impl Bounds {
    /// The suite's grades; for missing times, twice the values before the highest load.
    fn of(case: &Case<'_>, from_s: f64) -> Self {
        let asked = case.test.judge.grades.unwrap_or(GradeName::Target);
        let of = |grade: Grade| {
            let bounds = case.file.grades.get(&grade)?;
            grades::required(grade, bounds, asked).map(Bound::value)
        };
        let failures = of(Grade::ErrorRate).or(of(Grade::SuccessRate).map(|share| 1.0 - share));
        let (mean_ms, p95_ms) = (of(Grade::AvgMs), of(Grade::P95Ms));
        let before = || {
            let windows = window::steady(case.test, case.record);
            let first = windows.into_iter().find(|it| it.span_s[1] < from_s)?;
            Some(SLOWER * first.figures.latency.as_ref()?.mean)
        };
        let has_times = mean_ms.is_some() || p95_ms.is_some();
        Self {
            mean_ms: if has_times { mean_ms } else { before() },
            p95_ms,
            failures: failures.unwrap_or(FAILING),
        }
    }

    fn holds(&self, second: &Second) -> bool {
        let keeps = |bound: Option<f64>, value: Option<f64>| {
            bound
                .zip(value)
                .is_none_or(|(bound, value)| limit(false, bound).is_kept_by(value))
        };
        let by_chance = binomial_at_least(second.requests, self.failures, second.failures);
        keeps(self.mean_ms, second.mean_ms)
            && keeps(self.p95_ms, second.p95_ms)
            && (second.failures == 0 || by_chance >= BY_CHANCE)
    }
}
