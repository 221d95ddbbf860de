//! Steps whose level is known only at run time: those of searches.

use std::time::Duration;

use indexmap::IndexMap;
use report::record::LoadModel;
use serde_json::Value;

use super::phases::{self, PlannedPhase};
use super::scale::Scale;
use super::{EffectivePart, PlannedTest, options};
use crate::file::{Before, Content, Model, SuiteFile};

/// The share of a step that is its ramp, which is not judged.
const RAMP: f64 = 0.2;

/// The length of a step of a search, such that the rest after its ramp is long enough.
pub(super) fn each(each: Duration, scale: Scale) -> Duration {
    let least = scale.least(each).div_f64(1.0 - RAMP);
    scale.any(each).max(least.min(each))
}

/// The phases and k6 options of a planned test's classes at one level, which lasts `each` with its
/// ramp.
pub fn step(
    file: &SuiteFile,
    test: &PlannedTest,
    level: f64,
    each: Duration,
) -> (Vec<PlannedPhase>, Value) {
    let model = model(test);
    let per_s = level / (each.as_secs_f64() * RAMP);
    let mut phases = phases::of_run_time(level, per_s, each, model);
    for phase in &mut phases {
        phase.name = if phase.judged {
            level.to_string()
        } else {
            format!("ramp to {level}")
        };
    }
    let options = options_of(file, test, &phases);
    (phases, options)
}

/// The k6 options of a planned test's classes for other phases than those of the plan.
pub(super) fn options_of(file: &SuiteFile, test: &PlannedTest, phases: &[PlannedPhase]) -> Value {
    let names = test.classes.iter();
    let users = names.filter_map(|class| Some(file.classes.get_key_value(&class.name)?.0));
    let (before, faults) = (Before::default(), IndexMap::new());
    let whole = EffectivePart {
        file,
        name: &test.name,
        part: test.part.as_deref(),
        model: model(test),
        users: users.collect(),
        content: Content::Drills(&[]),
        faults: &faults,
        full: test.full,
        before: &before,
        judge: &test.judge,
        env: test.env.clone(),
    };
    options::of_phases(&whole, phases)
}

fn model(test: &PlannedTest) -> Model {
    match test.model {
        LoadModel::Open => Model::Open,
        _ => Model::Closed,
    }
}
