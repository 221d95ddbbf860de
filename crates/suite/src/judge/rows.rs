//! Throughput and resource rows: AIA-14..22, ACIS-20, ACSO-22, ACSO-35..39.

use analysis::Interval;
use report::record::TestContent;

use super::Case;
use super::decide::{CONFIDENCE, Decision};
use super::expression;
use super::figure::Figure;
use super::grades::shown;
use super::verdict::{Question, Sheet, number};
use super::window;

const RULE: &str = "a row of the suite file; rates by the batch means of their seconds, shares by their exact interval (N-01); the arrival rate of an open test is met within the requests in flight at the edges of the window (Little 1961)";
const LADDER_RULE: &str = "a figure of the whole ladder (ACSO-36, ACSO-37, ACSO-39)";

pub(super) fn judge(case: &Case<'_>, sheet: &mut Sheet) {
    if case.test.content == TestContent::Search {
        return;
    }
    for (name, expression) in &case.test.judge.rows {
        if let Some(pointer) = of_ladder(name) {
            ladder_row(sheet, name, expression, pointer);
        } else {
            window_rows(case, sheet, name, expression);
        }
    }
}

/// Whether the figure can have a row.
pub(super) fn is_known(name: &str) -> bool {
    of_ladder(name).is_some() || Figure::named(name).is_some()
}

/// Where the analysis of a ladder contains the figure.
fn of_ladder(name: &str) -> Option<&'static str> {
    Some(match name {
        "retention" => "ladder/retention",
        "max_stable_users" => "ladder/max_stable_users",
        "response_growth" => "ladder/response_growth",
        "linear_scalability_score" => "ladder/linear_scalability_score",
        _ => return None,
    })
}

fn ladder_row(sheet: &mut Sheet, name: &str, expression: &str, pointer: &str) {
    let bound = expression::split(expression).map(|(_, bound)| bound);
    let measured = sheet.found(pointer).and_then(serde_json::Value::as_f64);
    let interval = sheet
        .found(&format!("{pointer}_interval"))
        .and_then(|ends| {
            Some(Interval {
                lower: ends.get(0)?.as_f64()?,
                upper: ends.get(1)?.as_f64()?,
                confidence: CONFIDENCE,
            })
        });
    let decision = match (bound, measured, interval) {
        (Some(bound), Some(measured), Some(interval)) => {
            Decision::within(measured, &interval, bound)
        }
        (Some(bound), ..) => Decision::plain(measured, bound),
        (None, ..) => Decision::NO_DATA,
    };
    let unit = match name {
        "max_stable_users" => "users",
        "linear_scalability_score" => "percent",
        _ => "ratio",
    };
    let question = Question {
        kind: "row",
        name,
        phase: None,
        unit,
        rule: LADDER_RULE,
    };
    let asked = format!("{name} {expression} over the ladder");
    sheet.add(
        question,
        &asked,
        bound.map(expression::Bound::value),
        decision,
    );
}

fn window_rows(case: &Case<'_>, sheet: &mut Sheet, name: &str, expression: &str) {
    let figure = Figure::named(name);
    let bound = expression::split(expression).map(|(_, bound)| bound);
    let windows = window::judged(case.test, case.record);
    for window in &windows {
        let decision = match (figure, bound) {
            (Some(figure), Some(bound)) => figure.decide(window, bound),
            _ => Decision::NO_DATA,
        };
        let unit = figure.map_or("", Figure::unit);
        let asked = match bound {
            Some(bound) => format!(
                "{name} {} {}{} {}",
                bound.operator(),
                number(bound.value()),
                shown(unit),
                window.place()
            ),
            None => format!("{name} {expression} {}", window.place()),
        };
        let question = Question {
            kind: "row",
            name,
            phase: window.phase,
            unit,
            rule: RULE,
        };
        sheet.add(
            question,
            &asked,
            bound.map(expression::Bound::value),
            decision,
        );
    }
}
