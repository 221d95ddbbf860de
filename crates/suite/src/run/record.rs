//! Builds the record of a test from its measurements.

use report::record::{
    Check, Conclusion, Endpoint, Event, EventKind, LedgerEntry, LoadModel, Observed, Outcome,
    PhaseKind, PhaseRecord, TestContent, TestRecord,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::measure::{Store, Window, endpoints, executed, figures, probes, seconds};
use super::resources::Watched;
use super::stage::Driving;
use crate::plan::{PlannedPhase, PlannedTest};

/// A step of a ladder with a smaller share of its planned length is not judged.
const WHOLE: f64 = 0.9;

/// The input of a record, in addition to the plan and the measurements of the driver.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Gathered {
    pub driving: Driving,
    /// Times are seconds since 1970, here and in `watched`.
    pub events: Vec<Event>,
    pub watched: Watched,
    /// The source of the target's figures.
    pub source: String,
    /// Begin of the run, of the test where no driver ran, and end of the test, in seconds since 1970.
    pub run_began: f64,
    pub started: f64,
    pub ended: f64,
    /// The reason why the test ended before its plan.
    pub broken_off: Option<String>,
}

/// The record of a running test, as far as these phases are over; for rules that end it.
pub fn so_far(test: &PlannedTest, store: &Store, phases: &[PlannedPhase]) -> TestRecord {
    let began = store.began().unwrap_or_default();
    let gathered = Gathered {
        driving: Driving {
            phases: phases.to_vec(),
            ..Driving::default()
        },
        run_began: began,
        started: began,
        ended: began + store.last_s(),
        ..Gathered::default()
    };
    record(test, store, &gathered)
}

/// The record before its judgement.
pub fn record(test: &PlannedTest, store: &Store, gathered: &Gathered) -> TestRecord {
    let driving = &gathered.driving;
    let began = store.began().unwrap_or(gathered.started);
    let length = (gathered.ended - began).max(store.last_s()).max(0.0);
    let periods = executed(store, length);
    let mut phases = phases(store, &driving.phases, length);
    if test.content == TestContent::Ladder {
        leave_out_cut(&mut phases, &driving.phases);
    }
    let observed = observed(gathered, began);
    let recent = store.recent(&observed.target);
    let recent = recent.map(|recent| ("last_requests".to_owned(), recent));
    let mut summary = driving.summary.clone();
    if let Some(summary) = summary.as_object_mut() {
        summary.insert("without_samples".to_owned(), json!(driving.without_samples));
        summary.insert("trends".to_owned(), driving.trends.clone());
    }
    TestRecord {
        name: test.name.clone(),
        part: test.part.clone(),
        cell: test.cell.clone(),
        model: model(test, store),
        content: test.content,
        classes: test
            .classes
            .iter()
            .map(|class| class.name.clone())
            .collect(),
        begin_s: began - gathered.run_began,
        duration_s: length,
        complete: gathered.broken_off.is_none(),
        outcome: Outcome::Passed,
        reasons: Vec::new(),
        figures: figures(store, Window::All, &periods),
        endpoints: endpoints(store, Window::All, &periods),
        seconds: seconds(store, length),
        probes: probes(store),
        asked: Vec::new(),
        phases,
        observed,
        judgements: Vec::new(),
        findings: Vec::new(),
        truth: Vec::new(),
        ledger: ledger(test, driving),
        checks: checks(store),
        exceptions: store.exceptions.list(),
        k6_summary: summary,
        locust_result: None,
        analysis: recent.into_iter().collect(),
    }
}

/// Arrivals are dropped only in open scenarios, which a script with its own options may have.
fn model(test: &PlannedTest, store: &Store) -> LoadModel {
    match test.content {
        TestContent::Samples => LoadModel::Samples,
        _ if store.has_dropped() => LoadModel::Open,
        _ => test.model,
    }
}

/// The phases that took place; a test without phases is one phase.
fn phases(store: &Store, planned: &[PlannedPhase], length: f64) -> Vec<PhaseRecord> {
    if planned.is_empty() {
        // Starting users and warm-up iterations are not part of the timed span.
        let span = store.requests_s().unwrap_or([0.0, length]);
        return vec![PhaseRecord {
            name: "whole".to_owned(),
            kind: PhaseKind::Steady,
            begin_s: span[0],
            end_s: span[1],
            users: None,
            rate_per_s: None,
            judged: true,
            figures: figures(store, Window::All, &[span]),
            endpoints: endpoints(store, Window::All, &[span]),
        }];
    }
    let marks = store.marks().iter().enumerate().zip(planned);
    let took_place =
        marks.filter(|((_, mark), _)| mark.begin_s < length && mark.begin_s < mark.end_s);
    took_place
        .map(|((place, mark), planned)| {
            let span = [mark.begin_s, mark.end_s.min(length)];
            let endpoints: Vec<Endpoint> = endpoints(store, Window::Phase(place), &[span]);
            PhaseRecord {
                name: planned.name.clone(),
                kind: planned.kind.into(),
                begin_s: span[0],
                end_s: span[1],
                users: planned.users,
                rate_per_s: planned.rate_per_s,
                judged: planned.judged,
                figures: figures(store, Window::Phase(place), &[span]),
                endpoints,
            }
        })
        .collect()
}

/// A step that was cut short cannot be compared with the others, which lasted longer.
fn leave_out_cut(phases: &mut [PhaseRecord], planned: &[PlannedPhase]) {
    for phase in phases.iter_mut().filter(|phase| phase.judged) {
        // After a ladder's end its last level may be repeated under the same name: the later one ran.
        let of_plan = planned.iter().rfind(|planned| planned.name == phase.name);
        let length = of_plan.map_or(0.0, |planned| planned.length().as_secs_f64());
        phase.judged = phase.end_s - phase.begin_s >= WHOLE * length;
    }
}

/// Samples and events, with times relative to the start of the test.
fn observed(gathered: &Gathered, began: f64) -> Observed {
    let mut watched = gathered.watched.clone();
    let samples = watched.target.iter_mut();
    let samples = samples.chain(&mut watched.generator);
    for sample in samples.chain(&mut watched.simulator) {
        sample.at_s -= began;
    }
    if let Some(last) = watched.generator.last_mut() {
        let dropped = gathered.driving.dropped_samples as f64;
        last.other.insert("dropped_samples".to_owned(), dropped);
    }
    let mut events = gathered.events.clone();
    for event in &mut events {
        event.at_s -= began;
    }
    events.extend(watched.lost.map(|why| Event {
        at_s: gathered.ended - began,
        kind: EventKind::Warning,
        text: format!("the target's resources could not be read: {why}"),
        detail: Value::Null,
    }));
    Observed {
        target_source: (!watched.target.is_empty()).then(|| gathered.source.clone()),
        target: watched.target,
        generator: watched.generator,
        simulator: watched.simulator,
        events,
    }
}

/// The ledger entries from the driver's own counters.
fn ledger(test: &PlannedTest, driving: &Driving) -> Vec<LedgerEntry> {
    let entry = |what: &str, conclusion, text: String| LedgerEntry {
        what: what.to_owned(),
        conclusion,
        text,
    };
    let invalid = |text: String| entry("driver", Conclusion::Invalid, text);
    let mut entries: Vec<LedgerEntry> = driving
        .invalid_because
        .iter()
        .cloned()
        .map(invalid)
        .collect();
    entries.extend(driving.failed.iter().cloned().map(invalid));
    let (all, failed) = (driving.completed_iterations, driving.failed_iterations);
    if all == 0 && test.content != TestContent::Drills {
        entries.push(entry(
            "iterations",
            Conclusion::Invalid,
            "No iteration completed.".to_owned(),
        ));
    }
    let cut = driving.cut_iterations;
    if cut > 0 && all > 0 {
        let text = format!(
            "{all} iterations completed; {cut} others were interrupted at the end of a phase or of the load."
        );
        entries.push(entry("iterations", Conclusion::Valid, text));
    }
    if failed > 0 {
        let conclusion = if failed == all {
            Conclusion::Invalid
        } else {
            Conclusion::Suspect
        };
        let text = format!("{failed} of {all} iterations were ended by an exception of the script");
        entries.push(entry("exceptions", conclusion, text));
    }
    entries
}

fn checks(store: &Store) -> Vec<Check> {
    let check = |(name, passes, fails): (&str, u64, u64)| Check {
        name: name.to_owned(),
        passes,
        fails,
    };
    store.checks().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Kind;

    /// S-20: interrupted iterations are counted separately.
    #[test]
    fn interrupted_iterations_are_reported_beside_completed_ones() {
        let driving = Driving {
            completed_iterations: 40,
            cut_iterations: 3,
            ..Driving::default()
        };
        let file = crate::builtin::built_in("acis")
            .expect("built in")
            .expect("sound");
        let selection = crate::plan::Selection {
            tests: vec!["background".to_owned()],
            ..crate::plan::Selection::default()
        };
        let plan = crate::plan::plan(&file, &selection, &|_| None).expect("a plan");
        let entries = ledger(&plan.tests[0], &driving);
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].conclusion, Conclusion::Valid);
        assert!(
            entries[0]
                .text
                .starts_with("40 iterations completed; 3 others were interrupted")
        );
    }

    #[test]
    fn a_step_that_was_cut_is_not_judged() {
        let planned = |name: &str, begin_s: f64, end_s: f64| PlannedPhase {
            name: name.to_owned(),
            kind: Kind::Steady,
            begin_s,
            end_s,
            users: Some(1.0),
            rate_per_s: None,
            judged: true,
        };
        let plan = [
            planned("1", 0.0, 10.0),
            planned("2", 10.0, 20.0),
            planned("back to 1", 20.0, 30.0),
            planned("back to 1", 0.0, 5.0),
        ];
        let phase = |name: &str, begin_s: f64, end_s: f64| PhaseRecord {
            name: name.to_owned(),
            kind: PhaseKind::Steady,
            begin_s,
            end_s,
            users: Some(1.0),
            rate_per_s: None,
            judged: true,
            figures: figures(&Store::default(), Window::All, &[[begin_s, end_s]]),
            endpoints: Vec::new(),
        };
        let mut phases = [
            phase("1", 0.0, 9.9),
            phase("2", 10.0, 18.0),
            phase("back to 1", 18.1, 23.1),
        ];
        leave_out_cut(&mut phases, &plan);
        assert_eq!(phases.map(|phase| phase.judged), [true, false, true]);
    }
}
