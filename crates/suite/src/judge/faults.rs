//! Faults from the clients' view: time to detect, time to recover, lost requests (N-07).

use analysis::fault::{self, Experiment, Window};
use analysis::threshold::Limit;
use report::record::{Event, EventKind, Second, Standing, TestRecord};
use serde_json::{Value, json};

use super::decide::Decision;
use super::expression::Bound;
use super::reach::{self, Radius};
use super::verdict::{Question, Sheet, decided, number};
use super::{Case, expected};

/// A second is good if at least this share of its requests is good.
pub(super) const GOOD_SHARE: f64 = 0.9;
const STABLE_S: f64 = 5.0;
/// A request is late if it takes this many times the 95th percentile before the fault.
const LATE: f64 = 2.0;

const DETECTION: &str = "from the injection to the end of the first second with more than 10 % failed or late requests (N-07)";
const REPORTED: &str = "from the injection to the first poll of its health or metric that shows the fault, five polls a second";
const RULE: &str = "from the injection to the last second with more than 10 % failed or late requests, five good seconds following (N-07)";

/// One fault and its effect.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub name: String,
    pub injected_s: f64,
    pub removed_s: f64,
    /// Seconds from the injection; `None`: clients noticed nothing.
    pub detected_s: Option<f64>,
    pub recovered_s: Option<f64>,
    pub recovered: bool,
    /// Seconds until the system itself reported it, by its health or a metric; `None`: no report is required, or
    /// there was none.
    reported_s: Option<f64>,
    lost_requests: f64,
    budget_minutes: f64,
    radius: Radius,
    pub failures: u64,
    /// For a crash: the bound on its failures.
    pub crash: Option<Value>,
}

pub(super) fn judge(case: &Case<'_>, sheet: &mut Sheet) {
    let faults = all(case.record);
    if faults.is_empty() {
        return;
    }
    let shown: Vec<Value> = faults.iter().map(shown).collect();
    sheet
        .analysis
        .insert("faults".to_owned(), Value::Array(shown));
    let reached = faults.iter().flat_map(|it| it.radius.shown(&it.name));
    let reached: Vec<Value> = reached.collect();
    if !reached.is_empty() {
        let reached = Value::Array(reached);
        sheet.analysis.insert("blast_radius".to_owned(), reached);
    }
    let title = case.record.title();
    let controls = faults.iter().filter_map(|it| {
        let id = format!("{title}.radius.{}", it.name);
        it.radius.control(&id, &it.name)
    });
    let controls: Vec<Value> = controls.collect();
    if !controls.is_empty() {
        let controls = Value::Array(controls);
        sheet.analysis.insert("fault_controls".to_owned(), controls);
    }
    if let Some(score) = reach::resilience(case, &faults) {
        sheet.analysis.insert("resilience".to_owned(), score);
    }
    for fault in &faults {
        let mut planned = case.test.faults.iter();
        let Some(asked) = planned.find(|planned| planned.name == fault.name) else {
            continue;
        };
        let by_clients = asked.detect_within_s.map(|within_s| Sign {
            kind: "detection",
            shown: "noticed by clients",
            rule: DETECTION,
            seconds: fault.detected_s,
            within_s,
        });
        let by_the_system = asked.sign_within_s.map(|within_s| Sign {
            kind: "monitoring",
            shown: "reported by the system",
            rule: REPORTED,
            seconds: fault.reported_s,
            within_s,
        });
        for sign in [by_clients, by_the_system].iter().flatten() {
            shows(sheet, fault, sign);
        }
        expected::judge(case, sheet, fault);
        let lasted_s = fault.removed_s - fault.injected_s;
        recovers(sheet, fault, asked.recover_within_s + lasted_s);
    }
}

/// An indicator of a fault, and the time limit after the injection.
struct Sign {
    kind: &'static str,
    /// Such as `noticed by clients`.
    shown: &'static str,
    rule: &'static str,
    seconds: Option<f64>,
    within_s: f64,
}

/// Judges whether a fault showed the indicator in time. A fault without the indicator did not.
fn shows(sheet: &mut Sheet, fault: &Fault, sign: &Sign) {
    let bound = Bound::Limit(Limit::at_most(sign.within_s));
    let decision = match sign.seconds {
        Some(seconds) => Decision::plain(Some(seconds), bound),
        None => decided(Standing::Crossed),
    };
    let question = Question {
        kind: sign.kind,
        name: &fault.name,
        phase: None,
        unit: "s",
        rule: sign.rule,
    };
    let asked = format!(
        "{}: {} within {} s of the injection",
        fault.name.replace('_', " "),
        sign.shown,
        number(sign.within_s)
    );
    sheet.answer(question, &asked, bound, decision);
}

/// The bound counts from the revert of the fault, the measurement from its injection.
fn recovers(sheet: &mut Sheet, fault: &Fault, within_s: f64) {
    let bound = Bound::Limit(Limit::at_most(within_s));
    let decision = match (fault.recovered, fault.recovered_s) {
        (true, Some(seconds)) => Decision::plain(Some(seconds), bound),
        // The fault had no visible effect, so there was nothing to recover from.
        (true, None) => decided(Standing::Held),
        (false, _) => decided(Standing::Crossed),
    };
    let question = Question {
        kind: "recovery",
        name: &fault.name,
        phase: None,
        unit: "s",
        rule: RULE,
    };
    let asked = format!(
        "{}: recovered within {} s of the injection",
        fault.name.replace('_', " "),
        number(within_s)
    );
    sheet.answer(question, &asked, bound, decision);
}

fn shown(fault: &Fault) -> Value {
    json!({
        "name": fault.name,
        "injected_s": fault.injected_s,
        "removed_s": fault.removed_s,
        "detected_after_s": fault.detected_s,
        "reported_after_s": fault.reported_s,
        "recovered": fault.recovered,
        "recovered_after_s": fault.recovered_s,
        "lost_requests": fault.lost_requests,
        "budget_minutes": fault.budget_minutes,
        "endpoints": fault.radius.names(),
        "blast_radius": fault.radius.share(),
        "failures": fault.failures,
    })
}

/// All faults of a record in order. A fault without a revert lasts until the end.
pub(super) fn all(record: &TestRecord) -> Vec<Fault> {
    let events = &record.observed.events;
    let mut earlier: Vec<[f64; 2]> = Vec::new();
    let mut found = Vec::new();
    for (place, event) in events.iter().enumerate() {
        if event.kind != EventKind::FaultInjected {
            continue;
        }
        let Some(fault) = one(record, event, &events[place + 1..]) else {
            continue;
        };
        let radius = reach::radius(record, [fault.injected_s, fault.removed_s], &earlier);
        let affected_s = fault.recovered_s.unwrap_or(0.0);
        let over_s = (fault.injected_s + affected_s).max(fault.removed_s);
        earlier.push([fault.injected_s, over_s]);
        found.push(Fault { radius, ..fault });
    }
    found
}

/// A fault with the events that follow its injection.
fn one(record: &TestRecord, event: &Event, rest: &[Event]) -> Option<Fault> {
    let name = name(event);
    let taken = |kind| move |it: &&Event| it.kind == kind;
    let own = |it: &&Event| self::name(it) == name;
    let back = rest.iter().filter(taken(EventKind::FaultReverted));
    let removed_s = back.clone().find(own).or(back.clone().next());
    let removed_s = removed_s.map_or(record.duration_s, |it| it.at_s);
    let next = rest.iter().find(taken(EventKind::FaultInjected));
    let until_s = next.map_or(f64::INFINITY, |it| it.at_s);
    let fault = measured(
        &record.seconds,
        name.clone(),
        [event.at_s, removed_s, until_s],
    )?;
    let while_it_lasted = |at_s: f64| at_s + 1.0 > event.at_s && at_s < removed_s;
    let during = record.seconds.iter().filter(|it| while_it_lasted(it.at_s));
    let own_reaction = rest.iter().filter(taken(EventKind::Reaction)).find(own);
    let reported_s = own_reaction.and_then(|it| it.detail.get("reported_after_s")?.as_f64());
    Some(Fault {
        failures: during.map(|it| it.failures).sum(),
        crash: event.detail.get("crash").cloned(),
        reported_s,
        ..fault
    })
}

/// Whether clients have recovered from a fault, by the observations up to a time; the judgement applies the same
/// rule.
pub fn recovered(seconds: &[Second], [injected_s, removed_s, until_s]: [f64; 3]) -> bool {
    let seen = measured(seconds, String::new(), [injected_s, removed_s, until_s]);
    seen.is_some_and(|fault| fault.recovered && until_s - removed_s >= STABLE_S)
}

fn name(event: &Event) -> String {
    let detail = ["fault", "name"]
        .into_iter()
        .find_map(|key| event.detail.get(key)?.as_str());
    detail.unwrap_or(&event.text).to_owned()
}

fn measured(
    seconds: &[Second],
    name: String,
    [injected_s, removed_s, until_s]: [f64; 3],
) -> Option<Fault> {
    let before: Vec<f64> = seconds
        .iter()
        .filter(|it| it.at_s < injected_s)
        .filter_map(|it| it.p95_ms)
        .collect();
    let usual_ms = median(before);
    let windows: Vec<Window> = seconds
        .iter()
        // A second in which the next fault begins belongs to that fault.
        .filter(|it| it.at_s + 1.0 <= until_s)
        .map(|second| Window {
            start_s: second.at_s,
            end_s: second.at_s + 1.0,
            requests: second.requests,
            bad: bad(second, usual_ms),
        })
        .collect();
    let experiment = Experiment {
        injected_s,
        removed_s: removed_s.max(injected_s),
        good_share: GOOD_SHARE,
        stable_s: STABLE_S,
    };
    let impact = fault::impact(&windows, &experiment).ok()?;
    Some(Fault {
        name,
        injected_s,
        removed_s,
        detected_s: impact.time_to_detect_s,
        recovered_s: impact.time_to_recover_s,
        recovered: impact.recovered,
        reported_s: None,
        lost_requests: impact.lost_requests,
        budget_minutes: impact.budget_minutes,
        radius: Radius::default(),
        failures: 0,
        crash: None,
    })
}

/// The number of failed requests, and of those that are late according to the second's percentiles.
pub(super) fn bad(second: &Second, usual_ms: Option<f64>) -> u64 {
    let is_late = |value: Option<f64>| {
        value
            .zip(usual_ms)
            .is_some_and(|(value, usual)| value > LATE * usual)
    };
    let late = if is_late(second.p50_ms) {
        second.requests / 2
    } else if is_late(second.p95_ms) {
        second.requests / 20
    } else {
        0
    };
    (second.failures + late).min(second.requests)
}

pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
