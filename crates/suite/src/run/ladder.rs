//! A ladder: one run of the driver whose steps are judged during the run.

use std::sync::OnceLock;
use std::time::Duration;

use report::record::EventKind;
use serde_json::json;

use super::leg::Leg;
use super::measure::unix_now;
use super::record::so_far;
use super::stage::{Aside, Driving, Stage};
use crate::judge;
use crate::plan::{Kind, PlannedPhase, step};

/// The samples of a step have arrived by then.
const SETTLED_S: f64 = 1.5;
const LOOK: Duration = Duration::from_millis(100);

/// Climbs until the rule of `until` is met in two consecutive steps, or the list ends; then goes back to
/// the level that the ladder names.
pub fn climb(stage: &Stage<'_>, driving: &mut Driving) {
    let test = stage.test;
    let leg = Leg {
        options: test.options.clone(),
        phases: test.phases.clone(),
    };
    let ended = OnceLock::new();
    let before = driving.phases.len();
    stage.drive(&leg, driving, &|aside| {
        if let Some(last) = watch(stage, &leg.phases, aside) {
            drop(ended.set(last));
            aside.end.cancel();
        }
    });
    if let Some(last) = ended.get() {
        leave_out_after(&mut driving.phases[before..], last);
    }
    let back = leg.phases.last();
    let back = back.filter(|phase| judge::is_back(&phase.name));
    if let Some(back) = back
        && ended.get().is_some()
        && !stage.job.stop.is_cancelled()
    {
        let each = leg
            .phases
            .iter()
            .rev()
            .take(2)
            .map(PlannedPhase::length)
            .sum();
        let (mut phases, options) = step(stage.job.file, test, back.level(), each);
        if let Some(last) = phases.last_mut() {
            last.name.clone_from(&back.name);
        }
        let leg = Leg { options, phases };
        stage.drive(&leg, driving, &|_| {});
    }
}

/// A phase that began while the last step was being judged is not a step of the ladder.
fn leave_out_after(phases: &mut [PlannedPhase], last: &str) {
    let beyond = phases.iter_mut().skip_while(|phase| phase.name != last);
    beyond.skip(1).for_each(|phase| phase.judged = false);
}

/// The step at which the rule was met in two consecutive steps. `None` if the run ends before.
fn watch(stage: &Stage<'_>, phases: &[PlannedPhase], aside: &Aside<'_>) -> Option<String> {
    if stage.test.until.is_empty() {
        return None;
    }
    let mut until = judge::Until::new(stage.test, stage.job.file);
    for phase in phases.iter().filter(|it| it.kind == Kind::Steady) {
        if !wait_until(aside, phase.end_s + SETTLED_S) {
            return None;
        }
        let record = so_far(stage.test, &stage.store.lock(), phases);
        let Some(step) = record.phases.iter().find(|known| known.name == phase.name) else {
            continue;
        };
        let Some(met) = until.step(&record, step) else {
            continue;
        };
        let text = format!("step {}: {}", phase.name, met.rule);
        stage
            .job
            .tell
            .line(&format!("{}  {text}", stage.test.label()));
        let detail = json!({ "rule": met.rule, "step": phase.name });
        stage.note(EventKind::Warning, text, detail);
        if met.ends {
            let text = format!(
                "the ladder ends at {}: its rule held in two consecutive steps",
                phase.name
            );
            stage
                .job
                .tell
                .line(&format!("{}  {text}", stage.test.label()));
            stage.note(EventKind::Phase, text, json!({ "step": phase.name }));
            return Some(phase.name.clone());
        }
    }
    None
}

/// Waits for a time of the run, in seconds from its start. Returns false if the run is over.
pub fn wait_until(aside: &Aside<'_>, at_s: f64) -> bool {
    loop {
        if aside.over.is_cancelled() {
            return false;
        }
        let began = aside.seen.began_unix_ms();
        if began.is_some_and(|began_ms| unix_now() - began_ms as f64 / 1e3 >= at_s) {
            return true;
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_after_the_end_are_not_judged() {
        let phase = |name: &str, kind: Kind| PlannedPhase {
            name: name.to_owned(),
            kind,
            begin_s: 0.0,
            end_s: 1.0,
            users: Some(1.0),
            rate_per_s: None,
            judged: kind == Kind::Steady,
        };
        let mut phases = vec![
            phase("400", Kind::Steady),
            phase("ramp to 800", Kind::Ramp),
            phase("800", Kind::Steady),
            phase("ramp to 1600", Kind::Ramp),
            phase("1600", Kind::Steady),
        ];
        leave_out_after(&mut phases, "800");
        let judged = phases.iter().filter(|phase| phase.judged);
        let judged: Vec<&str> = judged.map(|phase| phase.name.as_str()).collect();
        assert_eq!(judged, ["400", "800"]);
    }
}
