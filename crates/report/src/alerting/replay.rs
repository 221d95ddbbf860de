//! The alerts that would have fired during the run from which they are derived.

use serde::{Deserialize, Serialize};

use super::series::{scrape_s, series};
use super::{Alert, FOR_S, alerts};
use crate::content::events;
use crate::number::seconds as length;
use crate::record::{Judgement, Standing, TestRecord};

/// All alerts of a test, replayed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// Scrape interval of the figures; rules are evaluated every second.
    pub scrape_s: u32,
    /// The time for which a figure has to be beyond its bound.
    pub for_s: u32,
    pub alerts: Vec<Replayed>,
    pub missing: Vec<Missing>,
}

/// An alert, with each time at which it would have fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replayed {
    pub alert: String,
    pub condition: String,
    pub judgements: Vec<String>,
    pub fired: Vec<Fired>,
}

/// Times are seconds from the start of the test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fired {
    pub at_s: f64,
    /// Nothing where it stood until the end.
    pub resolved_s: Option<f64>,
    /// The injection of the fault, otherwise the start of the first second beyond the bound.
    pub onset_s: f64,
    /// The fault in force.
    pub fault: Option<String>,
}

/// A problem that no alert would have reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    /// The crossed judgement; `None` if the problem is a fault.
    pub judgement: Option<String>,
    pub fault: Option<String>,
    pub window_s: [f64; 2],
}

/// The key in the analysis of a record.
pub const KEY: &str = "alert_replay";

/// A fault of the test with its start and end.
type Fault = (String, f64, f64);

/// Evaluates the alerts of a test; `None` if its judgements give none.
pub fn replay(test: &TestRecord) -> Option<Replay> {
    let (alerts, _) = alerts(test);
    if alerts.is_empty() {
        return None;
    }
    let (scrape_s, faults) = (scrape_s(test), events::faults(test));
    let replayed: Vec<Replayed> = alerts
        .into_iter()
        .map(|alert| Replayed {
            fired: fired(&alert, &series(test, &alert.figure))
                .into_iter()
                .map(|times| with_onset(times, scrape_s, &faults))
                .collect(),
            condition: alert.condition(),
            alert: alert.name,
            judgements: alert.judgements,
        })
        .collect();
    Some(Replay {
        scrape_s,
        for_s: FOR_S,
        missing: missing(test, &replayed, &faults, scrape_s),
        alerts: replayed,
    })
}

/// The seconds of three evaluations: the first one beyond the bound, the one that fires, and the one that
/// resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub active: usize,
    pub fires: usize,
    pub resolves: Option<usize>,
}

/// Evaluates like Prometheus with `for`: the alert fires when it was active at each evaluation for that
/// time, and resolves at the first evaluation at which it is not.
pub(super) fn fired(alert: &Alert, series: &[Option<f64>]) -> Vec<Times> {
    let (mut all, mut active): (Vec<Times>, Option<usize>) = (Vec::new(), None);
    let mut is_firing = false;
    for (place, value) in series.iter().enumerate() {
        if !value.is_some_and(|value| alert.is_bad(value)) {
            if let Some(last) = all.last_mut().filter(|_| is_firing) {
                last.resolves = Some(place);
            }
            (active, is_firing) = (None, false);
            continue;
        }
        let since = *active.get_or_insert(place);
        if !is_firing && place - since >= FOR_S as usize {
            is_firing = true;
            all.push(Times {
                active: since,
                fires: place,
                resolves: None,
            });
        }
    }
    all
}

fn with_onset(times: Times, scrape_s: u32, faults: &[Fault]) -> Fired {
    let at = |place: usize| place as f64;
    // A change seen by a scrape began at most one scrape interval before.
    let begins = (at(times.active) - f64::from(scrape_s)).max(0.0);
    let in_force = |(_, from, to): &&Fault| *from < at(times.active) && *to >= begins;
    let fault = faults.iter().rfind(in_force);
    Fired {
        at_s: at(times.fires),
        resolved_s: times.resolves.map(at),
        onset_s: fault.map_or(begins, |(_, from, _)| *from),
        fault: fault.map(|(name, ..)| name.clone()),
    }
}

/// Crossed judgements, and faults that clients noticed, without an alert.
fn missing(
    test: &TestRecord,
    alerts: &[Replayed],
    faults: &[Fault],
    scrape_s: u32,
) -> Vec<Missing> {
    let grace = f64::from(FOR_S + scrape_s) + 1.0;
    let stood = |fired: &Fired, [from, to]: [f64; 2]| {
        fired.at_s <= to + grace && fired.resolved_s.is_none_or(|end| end > from)
    };
    let crossed = test.judgements.iter().filter_map(|judgement| {
        let alert = alerts
            .iter()
            .find(|alert| alert.judgements.contains(&judgement.id))?;
        let window_s = window(test, judgement);
        let is_missing = judgement.standing == Standing::Crossed
            && !alert.fired.iter().any(|fired| stood(fired, window_s));
        is_missing.then(|| Missing {
            judgement: Some(judgement.id.clone()),
            fault: None,
            window_s,
        })
    });
    let unnoticed = faults.iter().filter_map(|(name, from, to)| {
        let window_s = [*from, *to];
        let all = alerts.iter().flat_map(|alert| &alert.fired);
        let mut told = all.filter(|fired| fired.at_s > *from && stood(fired, window_s));
        (told.next().is_none() && is_noticed(test, *from)).then(|| Missing {
            judgement: None,
            fault: Some(name.clone()),
            window_s,
        })
    });
    crossed.chain(unnoticed).collect()
}

fn window(test: &TestRecord, judgement: &Judgement) -> [f64; 2] {
    let named = |name: &String| test.phases.iter().find(|phase| phase.name == *name);
    judgement
        .phase
        .as_ref()
        .and_then(named)
        .map_or([0.0, test.duration_s], |phase| [phase.begin_s, phase.end_s])
}

/// Whether clients noticed the fault injected at this time, according to the analysis of faults.
fn is_noticed(test: &TestRecord, injected_s: f64) -> bool {
    let faults = test
        .analysis
        .get("faults")
        .and_then(|faults| faults.as_array());
    faults.into_iter().flatten().any(|fault| {
        let number = |key: &str| fault.get(key).and_then(serde_json::Value::as_f64);
        number("injected_s").is_some_and(|at| (at - injected_s).abs() < 1e-6)
            && number("detected_after_s").is_some()
    })
}

/// The replay in a record.
pub fn recorded(test: &TestRecord) -> Option<Replay> {
    serde_json::from_value(test.analysis.get(KEY)?.clone()).ok()
}

impl Missing {
    /// `No alert would have reported the fault slow, which clients noticed.`
    pub fn sentence(&self) -> String {
        match (&self.fault, &self.judgement) {
            (Some(fault), _) => {
                format!("No alert would have reported the fault {fault}, which clients noticed.")
            }
            (None, judgement) => format!(
                "The threshold {} was crossed, and the alert generated from it would not have fired: no {FOR_S} \
                 seconds in a row were beyond the bound.",
                judgement.as_deref().unwrap_or_default()
            ),
        }
    }
}

impl Fired {
    /// `412 s, 3 s after the fault slow was injected; resolved at 600 s`.
    pub fn sentence(&self) -> String {
        let onset = match &self.fault {
            Some(fault) => format!("the fault {fault} was injected"),
            None => "the first second beyond the bound began".to_owned(),
        };
        let resolved = match self.resolved_s {
            Some(at) => format!("resolved at {at} s"),
            None => "not resolved until the end".to_owned(),
        };
        let after = length((self.at_s - self.onset_s).max(0.0));
        format!("at t = {} s, {after} after {onset}; {resolved}", self.at_s)
    }
}
