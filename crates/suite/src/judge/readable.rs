//! Checks that every requirement of a file can be judged: expressions and figures.

use live_config::ConfigErrors;

use super::expression;
use super::figure::Figure;
use super::{rows, step};
use crate::file::{Content, Judge, Ladder, Phase, SuiteFile};

/// Adds an error for each judgement and each condition of a ladder that could never be decided.
pub fn check(file: &SuiteFile, errors: &mut ConfigErrors) {
    for (name, test) in &file.tests {
        let path = format!("tests.{name}");
        asked(&format!("{path}.judge"), &test.judge, errors);
        conditions(&path, test.ladder.as_ref(), errors);
        if test.parts.is_empty() && test.faults.is_empty() {
            recovers(&path, &test.judge, test.contents().first(), errors);
        }
        for (name, part) in &test.parts {
            let path = format!("{path}.parts.{name}");
            if let Some(judge) = &part.judge {
                asked(&format!("{path}.judge"), judge, errors);
            }
            conditions(&path, part.ladder.as_ref(), errors);
            if test.faults.is_empty() && part.faults.is_empty() {
                let contents = part.contents().into_iter().chain(test.contents());
                let judge = part.judge.as_ref().unwrap_or(&test.judge);
                recovers(&path, judge, contents.collect::<Vec<_>>().first(), errors);
            }
        }
    }
}

fn asked(path: &str, judge: &Judge, errors: &mut ConfigErrors) {
    for (metric, expressions) in &judge.thresholds {
        for (place, expression) in expressions.iter().enumerate() {
            let aggregate = expression::split(expression).map(|(aggregate, _)| aggregate);
            if !aggregate.is_some_and(is_aggregate) {
                errors.add(
                    format!("{path}.thresholds.{metric}[{place}]"),
                    format!(
                        "`{expression}` is not a threshold; one such as rate<0.05, count>=10 or p(95)<2000 is expected"
                    ),
                );
            }
        }
    }
    for (name, expression) in &judge.rows {
        let path = format!("{path}.rows.{name}");
        if !rows::is_known(name) {
            errors.add(&path, "unknown figure");
        }
        if expression::split(expression).is_none_or(|(figure, _)| !figure.is_empty()) {
            errors.add(
                path,
                format!("`{expression}` is not a bound; one such as >=1000 or <0.05 is expected"),
            );
        }
    }
    for (name, expression) in &judge.relative {
        let path = format!("{path}.relative.{name}");
        if Figure::named(name).is_none() {
            errors.add(&path, "unknown figure");
        }
        if expression::relative(expression, 1.0).is_none() {
            errors.add(
                path,
                format!(
                    "`{expression}` is not a relative bound; one such as <=+10% or >=-5% is expected"
                ),
            );
        }
    }
}

/// A recovery is visible only after the highest load.
fn recovers(
    path: &str,
    judge: &Judge,
    content: Option<&(&str, Content<'_>)>,
    errors: &mut ConfigErrors,
) {
    let is_named = judge.names.iter().any(|name| name == "recovery");
    if !is_named && judge.recovery_within.is_none() {
        return;
    }
    let hint = match content {
        None | Some((_, Content::Drills(_))) => return,
        Some((_, Content::Phases(phases))) if has_aftermath(phases) => return,
        Some((_, Content::Phases(_))) => "end with a `rest`, or with a `steady` phase of less load",
        Some((_, Content::Ladder(ladder))) if ladder.back_to.is_some() => return,
        Some((_, Content::Ladder(_))) => "give the ladder a level to go `back_to`",
        Some(_) => "only phases and ladders have one",
    };
    errors.add(
        format!("{path}.judge"),
        format!("requires a recovery, but nothing follows the highest load; {hint}"),
    );
}

/// Whether the last phase has a lower level than the highest.
fn has_aftermath(phases: &[Phase]) -> bool {
    let mut level = 0.0;
    let levels = phases.iter().map(|phase| {
        level = match phase {
            Phase::Ramp(ramp) => ramp.to,
            Phase::RampDown(_) | Phase::Rest(_) => 0.0,
            Phase::WarmUp(_) | Phase::Steady(_) => level,
        };
        level
    });
    let levels: Vec<f64> = levels.collect();
    let highest = levels.iter().copied().fold(0.0, f64::max);
    levels.last().is_some_and(|last| *last < highest)
}

fn conditions(path: &str, ladder: Option<&Ladder>, errors: &mut ConfigErrors) {
    let until = ladder.into_iter().flat_map(|ladder| &ladder.until);
    for (place, condition) in until.enumerate() {
        if !step::is_condition(condition) {
            errors.add(
                format!("{path}.ladder.until[{place}]"),
                format!(
                    "`{condition}` is not a condition; a grade such as poor, or one such as p95_ms>2000 is expected"
                ),
            );
        }
    }
}

/// The aggregates of k6's metrics.
fn is_aggregate(name: &str) -> bool {
    let percentile = || {
        let percent = name.strip_prefix("p(")?.strip_suffix(')')?;
        percent.trim().parse::<f64>().ok()
    };
    matches!(
        name,
        "rate" | "count" | "value" | "avg" | "min" | "max" | "med"
    ) || percentile().is_some_and(|percent| (0.0..=100.0).contains(&percent))
}
