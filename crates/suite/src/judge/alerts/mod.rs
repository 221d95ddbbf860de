//! The six alerts of AIA-44 and AIA-45, with the documents' texts.
//!
//! An alert is raised when its figure exceeds its bound for five consecutive seconds, is not raised again
//! while it is active, and is resolved by five consecutive seconds within the bound.

mod live;
mod table;
mod watch;

pub use live::{LiveAlerts, Notice};
pub(super) use table::ALERTS;
pub use table::latency_alerts;

use analysis::threshold::Limit;
use report::record::{Event, EventKind};
use serde_json::{Value, json};

use super::decide::Decision;
use super::expression::Bound;
use super::verdict::{Question, Sheet, decided};
use super::{Case, window};
use crate::file::View;
use table::{Alert, Watched};
use watch::{Change, IN_A_ROW, Watch};

const RULE: &str = "an alert of AIA-44, raised and resolved by five consecutive seconds (AIA-45); it must not fire";

/// A raised alert.
#[derive(Debug, Clone, PartialEq)]
struct Raised {
    at_s: f64,
    value: f64,
    resolved_s: Option<f64>,
}

impl Alert {
    fn raised(&self, series: &[(f64, f64)]) -> Vec<Raised> {
        // A shorter series is used as a whole.
        let mut watch = Watch::new(self.bound, IN_A_ROW.min(series.len()));
        let mut raised: Vec<Raised> = Vec::new();
        for (at_s, value) in series {
            match watch.see(*value) {
                Some(Change::Raised(value)) => raised.push(Raised {
                    at_s: *at_s,
                    value,
                    resolved_s: None,
                }),
                Some(Change::Resolved) => {
                    if let Some(last) = raised.last_mut() {
                        last.resolved_s = Some(*at_s);
                    }
                }
                None => {}
            }
        }
        raised
    }
}

pub(super) fn judge(case: &Case<'_>, sheet: &mut Sheet) {
    let asked = &case.test.judge.alerts;
    if asked.is_empty() && !case.file.views.contains(&View::Aiaas) {
        return;
    }
    let mut shown = Vec::new();
    for alert in ALERTS {
        let series = series(case, &alert);
        let raised = alert.raised(&series);
        for one in &raised {
            shown.push(note(sheet, &alert, one));
        }
        if asked.iter().any(|kind| kind == alert.kind) {
            answer(case, sheet, &alert, &series);
        }
    }
    for unknown in asked
        .iter()
        .filter(|kind| !ALERTS.iter().any(|it| it.kind == **kind))
    {
        let asked = format!("{unknown} does not fire; there is no such alert");
        sheet.add(question(unknown, ""), &asked, None, Decision::NO_DATA);
    }
    sheet
        .analysis
        .insert("alerts".to_owned(), Value::Array(shown));
}

/// (second, value) of the figure of an alert; for latency, of the trend that the suite names, or of all
/// requests.
fn series(case: &Case<'_>, alert: &Alert) -> Vec<(f64, f64)> {
    let record = case.record;
    let named = case.file.alerts.latency_of.as_ref();
    let Some((metric, aggregate)) = named.zip(alert.aggregate()) else {
        return alert.series(&record.seconds, &record.observed.target);
    };
    let asked = record.asked.iter().find(|it| it.metric == *metric);
    let seconds = asked.and_then(|it| it.seconds.get(aggregate));
    let seconds = seconds.into_iter().flatten().enumerate();
    seconds
        .filter_map(|(at, value)| Some((at as f64, (*value)?)))
        .collect()
}

fn question<'a>(name: &'a str, unit: &'static str) -> Question<'a> {
    Question {
        kind: "alert",
        name,
        phase: None,
        unit,
        rule: RULE,
    }
}

/// The events of an alert, and its entry in the report.
fn note(sheet: &mut Sheet, alert: &Alert, raised: &Raised) -> Value {
    let message = alert.message(raised.value);
    let detail = json!({ "type": alert.kind, "message": message, "severity": alert.severity });
    sheet.events.push(Event {
        at_s: raised.at_s,
        kind: EventKind::Alert,
        text: message.clone(),
        detail: detail.clone(),
    });
    if let Some(at_s) = raised.resolved_s {
        sheet.events.push(Event {
            at_s,
            kind: EventKind::AlertResolved,
            text: format!("{} is resolved.", alert.kind),
            detail: json!({ "type": alert.kind }),
        });
    }
    json!({ "type": alert.kind, "message": message, "severity": alert.severity,
        "raised_s": raised.at_s, "resolved_s": raised.resolved_s })
}

/// Crossed if the alert was active at any time of a judged phase.
fn answer(case: &Case<'_>, sheet: &mut Sheet, alert: &Alert, series: &[(f64, f64)]) {
    let windows = window::judged(case.test, case.record);
    let stands = |one: &Raised| {
        windows.iter().any(|window| {
            one.at_s <= window.span_s[1] && one.resolved_s.is_none_or(|end| end >= window.span_s[0])
        })
    };
    let unit = match alert.watched {
        Watched::P50 | Watched::P95 | Watched::P99 => "ms",
        _ => "ratio",
    };
    let bound = Bound::Limit(Limit::at_most(alert.bound));
    let raised = alert.raised(series);
    let decision = if series.is_empty() {
        Decision::NO_DATA
    } else if let Some(first) = raised.iter().find(|one| stands(one)) {
        Decision::plain(Some(first.value), bound)
    } else {
        Decision {
            measured: sustained(series, &windows),
            ..decided(report::record::Standing::Held)
        }
    };
    let named = case.file.alerts.latency_of.as_ref();
    let of = named.filter(|_| alert.aggregate().is_some());
    let of = of.map_or_else(String::new, |metric| format!(" of {metric}"));
    let asked = format!("{}{of} stays silent", alert.kind);
    sheet.answer(question(alert.kind, unit), &asked, bound, decision);
}

/// The highest value that was sustained in a judged phase for as long as an alert requires.
fn sustained(series: &[(f64, f64)], windows: &[window::Window<'_>]) -> Option<f64> {
    let takes = IN_A_ROW.min(series.len()).max(1);
    let of_window = |window: &window::Window<'_>| {
        let [begin, end] = window.span_s;
        let inside = series
            .iter()
            .filter(|(at_s, _)| (begin..=end).contains(at_s));
        let values: Vec<f64> = inside.map(|(_, value)| *value).collect();
        let stretches = values.windows(takes);
        let least = |stretch: &[f64]| stretch.iter().copied().reduce(f64::min);
        stretches.filter_map(least).reduce(f64::max)
    };
    windows.iter().filter_map(of_window).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::sample::Sample;

    fn of(kind: &str) -> Alert {
        *ALERTS
            .iter()
            .find(|alert| alert.kind == kind)
            .expect("an alert")
    }

    #[test]
    fn aia_44_bounds_raise_only_above() {
        let bounds = [
            ("latency_p50_high", 50.0),
            ("latency_p95_high", 100.0),
            ("latency_p99_high", 200.0),
            ("error_rate_high", 0.05),
            ("cpu_usage_high", 0.8),
            ("memory_usage_high", 0.8),
        ];
        for (kind, bound) in bounds {
            let raised = |value: f64| {
                let series: Vec<(f64, f64)> = (0..10).map(|at| (f64::from(at), value)).collect();
                of(kind).raised(&series).len()
            };
            assert_eq!(raised(bound * 0.999), 0, "{kind}");
            assert_eq!(raised(bound), 0, "{kind}");
            assert_eq!(raised(bound * 1.001), 1, "{kind}");
        }
    }

    /// The reported value is the one compared with the bound: a short peak raises no alert.
    #[test]
    fn a_silent_alert_shows_the_highest_sustained_value() {
        let sample = Sample::of("acis", "load").latency(40.0);
        let mut sample = sample.asking(crate::file::Judge {
            alerts: vec!["latency_p50_high".to_owned()],
            ..crate::file::Judge::default()
        });
        for second in &mut sample.record.seconds[20..24] {
            second.p50_ms = Some(300.0);
        }
        let record = sample.judged();
        let silent = &record.judgements[0];
        assert_eq!(silent.standing, report::record::Standing::Held);
        assert_eq!((silent.measured, silent.bound), (Some(40.0), Some(50.0)));
        sample.record.seconds[24].p50_ms = Some(300.0);
        let raised = &sample.judged().judgements[0];
        assert_eq!(raised.standing, report::record::Standing::Crossed);
    }

    #[test]
    fn an_alert_is_raised_once_and_resolved() {
        let value = |at: u32| match at {
            10..20 | 22..30 | 60..70 => 80.0,
            _ => 10.0,
        };
        let series: Vec<(f64, f64)> = (0..100).map(|at| (f64::from(at), value(at))).collect();
        let raised = of("latency_p50_high").raised(&series);
        let times: Vec<(f64, Option<f64>)> =
            raised.iter().map(|it| (it.at_s, it.resolved_s)).collect();
        assert_eq!(times, [(14.0, Some(34.0)), (64.0, Some(74.0))]);
    }
}
