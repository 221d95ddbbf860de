//! Phases that are required by name have to exist.

use super::Case;
use super::decide::Decision;
use super::verdict::{Question, Sheet};
use super::window;

const RULE: &str = "a phase that was never reached is not judged, so none of its requirements hold";

pub(super) fn judge(case: &Case<'_>, sheet: &mut Sheet) {
    let reached = |name: &String| {
        let phases = &case.record.phases;
        phases.iter().any(|phase| {
            phase.name == *name
                && phase.figures.requests > 0
                && window::is_whole(case.record, phase)
        })
    };
    for name in case.test.judge.phases.iter().filter(|name| !reached(name)) {
        let question = Question {
            kind: "phase",
            name,
            phase: Some(name),
            unit: "",
            rule: RULE,
        };
        let asked = format!("the phase {name} is reached");
        sheet.add(question, &asked, None, Decision::NO_DATA);
    }
}
