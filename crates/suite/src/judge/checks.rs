//! The share of the scripts' checks that pass.

use analysis::threshold::Limit;

use super::Case;
use super::decide::Decision;
use super::expression::Bound;
use super::verdict::{Question, Sheet, number};

const RULE: &str =
    "the checks of the scripts: all of them, or at least a share by its exact interval";

pub(super) fn judge(case: &Case<'_>, sheet: &mut Sheet) {
    let Some(share) = case.test.judge.checks else {
        return;
    };
    let bound = Bound::Limit(Limit::at_least(share));
    let passes: u64 = case.record.checks.iter().map(|check| check.passes).sum();
    let fails: u64 = case.record.checks.iter().map(|check| check.fails).sum();
    let question = Question {
        kind: "check",
        name: "all",
        phase: None,
        unit: "ratio",
        rule: RULE,
    };
    let asked = format!("checks >= {}", number(share));
    let decision = Decision::share(passes, passes + fails, bound);
    sheet.answer(question, &asked, bound, decision);
}
