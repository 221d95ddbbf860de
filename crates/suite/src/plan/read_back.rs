//! Reads a planned test back from its JSON, which represents names and spans by other types.

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use report::record::{LoadModel, TestContent};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{PlannedBefore, PlannedClass, PlannedFault, PlannedPhase, PlannedSearch, PlannedTest};
use crate::file::{Judge, Span};

const MODELS: [LoadModel; 2] = [LoadModel::Open, LoadModel::Closed];
const CONTENTS: [TestContent; 5] = [
    TestContent::Phases,
    TestContent::Ladder,
    TestContent::Search,
    TestContent::Samples,
    TestContent::Drills,
];
const SEARCHED: [&str; 2] = ["users", "rate_per_s"];

#[derive(Deserialize)]
struct Written {
    name: String,
    part: Option<String>,
    #[serde(default)]
    cell: IndexMap<String, Value>,
    model: String,
    content: String,
    classes: Vec<PlannedClass>,
    phases: Vec<PlannedPhase>,
    search: Option<WrittenSearch>,
    #[serde(default)]
    drills: Vec<PathBuf>,
    #[serde(default)]
    faults: Vec<PlannedFault>,
    #[serde(default)]
    until: Vec<String>,
    #[serde(default)]
    full: bool,
    options: Value,
    #[serde(default)]
    env: IndexMap<String, String>,
    before: PlannedBefore,
    judge: Value,
    longest_s: f64,
}

#[derive(Deserialize)]
struct WrittenSearch {
    of: String,
    from: f64,
    until: f64,
    precision: f64,
    each_s: f64,
    rest_s: f64,
    most_steps: u32,
}

impl<'de> Deserialize<'de> for PlannedTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        Ok(Self {
            name: written.name,
            part: written.part,
            cell: written.cell,
            model: known(&MODELS, LoadModel::name, &written.model)?,
            content: known(&CONTENTS, TestContent::name, &written.content)?,
            classes: written.classes,
            phases: written.phases,
            search: written.search.map(search).transpose()?,
            drills: written.drills,
            faults: written.faults,
            until: written.until,
            full: written.full,
            options: written.options,
            env: written.env,
            before: written.before,
            judge: judge(written.judge)?,
            longest_s: written.longest_s,
        })
    }
}

fn search<E: Error>(written: WrittenSearch) -> Result<PlannedSearch, E> {
    Ok(PlannedSearch {
        of: known(&SEARCHED, |name| name, &written.of)?,
        from: written.from,
        until: written.until,
        precision: written.precision,
        each_s: written.each_s,
        rest_s: written.rest_s,
        most_steps: written.most_steps,
    })
}

/// Plans have spans in seconds, suite files in text form.
fn judge<E: Error>(mut written: Value) -> Result<Judge, E> {
    let within = written
        .as_object_mut()
        .and_then(|fields| fields.remove("recovery_within"))
        .and_then(|seconds| seconds.as_f64())
        .map(|seconds| Duration::try_from_secs_f64(seconds).map_err(E::custom))
        .transpose()?;
    let judge: Judge = serde_json::from_value(written).map_err(E::custom)?;
    Ok(Judge {
        recovery_within: within.map(Span::from),
        ..judge
    })
}

fn known<T: Copy, E: Error>(
    values: &[T],
    name: fn(T) -> &'static str,
    written: &str,
) -> Result<T, E> {
    let found = values.iter().find(|value| name(**value) == written);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = values.iter().map(|value| name(*value)).collect();
        E::custom(format!("`{written}` is not one of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::{BUILT_IN, built_in};
    use crate::plan::{Selection, plan};

    #[test]
    fn every_planned_test_of_the_shipped_suites_is_read_back() {
        for (name, _) in BUILT_IN {
            let file = built_in(name).expect("built in").expect("sound");
            for time_scale in [0.01, 1.0] {
                let selection = Selection {
                    tests: vec!["all-tests".to_owned()],
                    time_scale,
                    ..Selection::default()
                };
                let planned = plan(&file, &selection, &|_| None).expect("a plan");
                for test in planned.tests {
                    let text = serde_json::to_string(&test).expect("JSON");
                    let read: PlannedTest = serde_json::from_str(&text).expect("a planned test");
                    let again = serde_json::to_string(&read).expect("JSON");
                    // Numbers may differ in their last digit after the first reading, but not after the
                    // second.
                    let twice: PlannedTest = serde_json::from_str(&again).expect("a planned test");
                    assert_eq!(twice.label(), test.label());
                    assert_eq!(twice.judge, test.judge, "{}", test.label());
                    assert_eq!(twice.phases.len(), test.phases.len());
                }
            }
        }
        let wrong = serde_json::from_str::<PlannedTest>("{}");
        assert!(wrong.is_err());
    }
}
