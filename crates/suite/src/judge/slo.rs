//! Service-level rows of the target's components: AIA-07..13.

use analysis::threshold::Limit;
use serde::{Deserialize, Serialize};

use super::decide::Decision;
use super::expression::Bound;
use super::figure::Figure;
use super::verdict::{Question, Sheet, number};
use super::{Case, thresholds, window};

/// The bounds of one component: percentiles are strictly below, success is at least the bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slo {
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    /// Successes / all visits.
    pub success: f64,
}

/// The rows printed in the documents, for targets that declare none.
const DOCUMENTED: [(&str, Slo); 7] = [
    ("router", row(50.0, 100.0, 200.0, 0.999)),
    ("tool", row(500.0, 1000.0, 2000.0, 0.995)),
    ("workflow", row(2000.0, 5000.0, 10_000.0, 0.99)),
    ("api", row(100.0, 500.0, 1000.0, 0.999)),
    ("hub", row(10.0, 50.0, 100.0, 0.999)),
    ("database", row(10.0, 50.0, 100.0, 0.999)),
    ("cache", row(1.0, 5.0, 10.0, 0.999)),
];

const fn row(p50_ms: f64, p95_ms: f64, p99_ms: f64, success: f64) -> Slo {
    Slo {
        p50_ms,
        p95_ms,
        p99_ms,
        success,
    }
}

const RULE: &str =
    "the component's service-level row (AIA-07..13); three-valued where counts are known (N-01)";

pub(super) fn judge(case: &Case<'_>, sheet: &mut Sheet) {
    for component in &case.test.judge.slo {
        let known = case.known.slo.and_then(|rows| rows.get(component)).copied();
        let documented = DOCUMENTED.iter().find(|(name, _)| name == component);
        let Some(slo) = known.or(documented.map(|(_, slo)| *slo)) else {
            let asked = format!("the service-level row of {component}, which has none");
            sheet.add(question(component, None), &asked, None, Decision::NO_DATA);
            continue;
        };
        if component == "api" {
            api(case, sheet, slo);
        } else {
            by_trend(case, sheet, component, slo);
            by_visits(case, sheet, component, slo);
        }
    }
}

/// The service as seen by its clients.
fn api(case: &Case<'_>, sheet: &mut Sheet, slo: Slo) {
    for window in window::judged(case.test, case.record) {
        for (name, _, bound) in percentiles(slo) {
            let figure = Figure::named(&format!("{name}_ms")).unwrap_or(Figure::Mean);
            let bound = Bound::Limit(Limit::below(bound));
            let asked = format!(
                "api {name} < {} ms {}",
                number(bound.value()),
                window.place()
            );
            let name = format!("api.{name}");
            let question = question(&name, window.phase).in_ms();
            sheet.answer(question, &asked, bound, figure.decide(&window, bound));
        }
        let bound = Bound::Limit(Limit::at_least(slo.success));
        let asked = format!("api success >= {} {}", number(slo.success), window.place());
        let decision = Figure::SuccessRate.decide(&window, bound);
        sheet.answer(
            question("api.success", window.phase),
            &asked,
            bound,
            decision,
        );
    }
}

/// A component, by the Trend that the scripts fill from `Server-Timing`.
fn by_trend(case: &Case<'_>, sheet: &mut Sheet, component: &str, slo: Slo) {
    let metric = metric_of_component(component);
    for (name, percent, bound) in percentiles(slo) {
        let limit = Limit::below(bound);
        let asked = format!("{component} {name} < {} ms", number(bound));
        let decision = thresholds::trend(&case.record.k6_summary, &metric, percent, limit);
        let name = format!("{component}.{name}");
        sheet.answer(
            question(&name, None).in_ms(),
            &asked,
            Bound::Limit(limit),
            decision,
        );
    }
}

/// The share of a component's visits that did not fail, as the target counts them; components without counts are not
/// judged.
fn by_visits(case: &Case<'_>, sheet: &mut Sheet, component: &str, slo: Slo) {
    let visits = case.known.visits.and_then(|all| all.get(component));
    let Some([completed, failed]) = visits.copied() else {
        return;
    };
    let bound = Bound::Limit(Limit::at_least(slo.success));
    let asked = format!("{component} success >= {}", number(slo.success));
    let decision = Decision::share(completed, completed + failed, bound);
    let name = format!("{component}.success");
    sheet.answer(question(&name, None), &asked, bound, decision);
}

/// The metric of a component in the scripts of `tests/k6`.
pub fn metric_of_component(component: &str) -> String {
    match component {
        "router" => "router_decision_ms",
        "tool" => "tool_execution_ms",
        "workflow" => "workflow_execution_ms",
        "database" => "database_query_ms",
        "cache" => "cache_access_ms",
        "hub" => "websocket_message_ms",
        other => return format!("{other}_ms"),
    }
    .to_owned()
}

fn percentiles(slo: Slo) -> [(&'static str, f64, f64); 3] {
    [
        ("p50", 50.0, slo.p50_ms),
        ("p95", 95.0, slo.p95_ms),
        ("p99", 99.0, slo.p99_ms),
    ]
}

fn question<'a>(name: &'a str, phase: Option<&'a str>) -> Question<'a> {
    Question {
        kind: "slo",
        name,
        phase,
        unit: "ratio",
        rule: RULE,
    }
}

impl Question<'_> {
    const fn in_ms(mut self) -> Self {
        self.unit = "ms";
        self
    }
}
