//! A search for the highest level that meets the requirements.

use std::time::Duration;

use analysis::slo_search::{End, Plan, Probe, Search, Stage as SearchStage, Step};
use report::record::EventKind;
use serde_json::{Value, json};

use super::leg::Leg;
use super::measure::unix_now;
use super::record::so_far;
use super::stage::{Driving, Stage};
use crate::judge::{self, Tried};
use crate::plan::{PlannedSearch, step};

const LOOK: Duration = Duration::from_millis(100);
/// The confirmation lasts this many steps.
const CONFIRMATION: u32 = 2;
/// The search never goes below this share of its first level.
const LEAST: f64 = 1.0 / 64.0;
/// Number of retries of a step that the generator invalidated.
const RETRIES: u32 = 2;
/// The result of a search whose steps are too short to prove anything.
const TOO_FEW: &str = "too_few_requests";

/// Searches, and adds the result to the record as `search`.
pub fn find(stage: &Stage<'_>, planned: &PlannedSearch, driving: &mut Driving) -> Value {
    let plan = Plan {
        start: planned.from,
        smallest: planned.from * LEAST,
        largest: planned.until,
        resolution: planned.precision,
        confirmations: 1,
        probes: planned.most_steps + 8,
    };
    let mut search = match Search::new(plan) {
        Ok(search) => search,
        Err(error) => {
            driving
                .invalid_because
                .push(format!("the search cannot begin: {error}"));
            return Value::Null;
        }
    };
    let mut steps = Vec::new();
    loop {
        let (level, is_confirmation) = match search.step() {
            Step::Done(found) => {
                return json!({
                    "of": planned.of,
                    "passed": found.passed,
                    "failed": found.failed,
                    "end": end(found.end),
                    "steps": steps,
                });
            }
            Step::Probe { rate, stage } => (rate, stage == SearchStage::Confirmation),
        };
        let level = if planned.of == "users" {
            level.round()
        } else {
            level
        };
        let each = Duration::from_secs_f64(planned.each_s);
        let each = if is_confirmation {
            each * CONFIRMATION
        } else {
            each
        };
        if !steps.is_empty() && !rest(stage, planned.rest_s) {
            break;
        }
        let mut tried = attempt(stage, level, each, driving);
        // A machine that was busy for a moment says nothing about the target; one that is always busy does.
        for _ in 0..RETRIES {
            let limited =
                matches!(tried, Tried::GeneratorLimited(_)) && !stage.job.stop.is_cancelled();
            if limited && rest(stage, planned.rest_s) {
                tried = attempt(stage, level, each, driving);
            }
        }
        if stage.job.stop.is_cancelled() || driving.failure.is_some() {
            break;
        }
        let (probe, word, why) = match &tried {
            Tried::Passed => (Probe::Passed, "passed", None),
            Tried::Failed(why) => (Probe::Failed, "failed", Some(why)),
            Tried::GeneratorLimited(why) => {
                (Probe::GeneratorLimited, "generator_limited", Some(why))
            }
            Tried::TooFew(why) => (Probe::Failed, TOO_FEW, Some(why)),
        };
        let text = match why {
            Some(why) => format!("{level} {}: {word}, {why}", planned.of),
            None => format!("{level} {}: {word}", planned.of),
        };
        stage
            .job
            .tell
            .line(&format!("{}  {text}", stage.test.label()));
        let step =
            json!({ "level": level, "result": word, "why": why, "confirmation": is_confirmation });
        stage.note(EventKind::Phase, text, step.clone());
        steps.push(step);
        if word == TOO_FEW {
            return json!({ "of": planned.of, "passed": null, "failed": null, "end": TOO_FEW, "steps": steps });
        }
        search.observe(probe);
    }
    json!({ "of": planned.of, "passed": null, "failed": null, "end": "broken_off", "steps": steps })
}

fn attempt(stage: &Stage<'_>, level: f64, each: Duration, driving: &mut Driving) -> Tried {
    let (phases, options) = step(stage.job.file, stage.test, level, each);
    let judged = driving.phases.len() + phases.len().saturating_sub(1);
    let reasons_before = driving.invalid_because.len();
    let leg = Leg { options, phases };
    stage.drive(&leg, driving, &|_| {});
    let reasons = driving.invalid_because.split_off(reasons_before);
    let record = so_far(stage.test, &stage.store.lock(), &driving.phases);
    let Some(phase) = record.phases.get(judged) else {
        return Tried::GeneratorLimited("the step did not start".to_owned());
    };
    let limited = reasons.into_iter().chain(driving.late.take()).next();
    judge::tried(stage.test, stage.job.file, &record, phase, limited)
}

/// Rests between two steps. Returns false if the run is to end.
fn rest(stage: &Stage<'_>, seconds: f64) -> bool {
    let end = unix_now() + seconds;
    while unix_now() < end {
        if stage.job.stop.is_cancelled() {
            return false;
        }
        let left = end - unix_now();
        stage
            .job
            .tell
            .live(&[format!("{}  resting, {left:.0} s left", stage.test.label())]);
        std::thread::sleep(LOOK);
    }
    !stage.job.stop.is_cancelled()
}

const fn end(end: End) -> &'static str {
    match end {
        End::Bracketed => "bracketed",
        End::NothingFails => "nothing_fails",
        End::NothingPasses => "nothing_passes",
        End::GeneratorLimited => "generator_limited",
        End::OutOfProbes => "out_of_steps",
    }
}
