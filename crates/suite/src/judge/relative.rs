//! Bounds relative to the previous run or to a baseline, in Keptn's notation (`<=+10%`).

use report::record::Standing;

use super::expression::{self, Bound};
use super::figure::Figure;
use super::verdict::{Question, Sheet, decided, number};
use super::{Case, window};
use crate::file::Against;

const RULE: &str = "Keptn's relative criterion, compared with the same phase of the previous run";
const BASELINE_RULE: &str = "Keptn's relative criterion, compared with the same phase of the current baseline on this testbed";

pub(super) fn judge(case: &Case<'_>, sheet: &mut Sheet) {
    let (rule, what) = match case.test.judge.against {
        Against::Previous => (RULE, "run before"),
        Against::Baseline => (BASELINE_RULE, "baseline"),
    };
    for (name, expression) in &case.test.judge.relative {
        for window in window::judged(case.test, case.record) {
            let figure = Figure::named(name);
            let question = Question {
                kind: "relative",
                name,
                phase: window.phase,
                unit: figure.map_or("", Figure::unit),
                rule,
            };
            let before = figure
                .zip(case.known.previous)
                .and_then(|(figure, previous)| {
                    let windows = window::judged(case.test, previous);
                    let same = windows.into_iter().find(|it| it.phase == window.phase)?;
                    figure.value(&same)
                });
            let bound = before.and_then(|before| expression::relative(expression, before));
            match (figure, before, bound) {
                (Some(figure), Some(before), Some(bound)) => {
                    let asked = format!(
                        "{name} {expression} of {} {}",
                        number(before),
                        window.place()
                    );
                    let decision = figure.decide(&window, bound);
                    sheet.answer(question, &asked, bound, decision);
                }
                // AIA-46: without a previous run there is no regression.
                (Some(_), None, _) if case.known.previous.is_none() => {
                    let asked = format!("{name} {expression}; there is no {what}");
                    sheet.add(question, &asked, None, decided(Standing::Reported));
                }
                _ => {
                    let asked = format!("{name} {expression} {}", window.place());
                    let bound = bound.map(Bound::value);
                    sheet.add(question, &asked, bound, decided(Standing::NoData));
                }
            }
        }
    }
}
