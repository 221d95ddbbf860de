//! Turns a suite file into a plan: phases with start and end, k6 options, judgements.
//!
//! The plan is pure: the same file, selection and variables give the same plan, byte for byte.

mod allocation;
mod cells;
mod faults;
mod lint;
mod loaded;
pub(crate) mod one;
mod options;
mod phases;
mod read_back;
mod rest;
mod scale;
mod select;
pub(crate) mod share;
mod step;

pub use allocation::allocate;
pub use faults::PlannedFault;
pub(crate) use faults::{PROBE, PROBE_EVERY, RESTART, WELL_FOR, good_probes, settled};
pub use lint::lint;
pub use loaded::{Unloaded, loaded};
pub use phases::{Kind, PlannedPhase};
pub use rest::{Rest, rest, whole_name};
pub(crate) use scale::SHORTEST;
pub use select::{LoadOverride, Selection, SelectionError};
pub use step::step;

use std::time::Duration;

use indexmap::IndexMap;
use report::record::{LoadModel, TestContent};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::file::{Before, Content, Judge, Model, SearchOf, SuiteFile, SystemFault};

/// All tests of a run, in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    pub suite: String,
    /// The simulated system; absent for the orchestrator with its mock detectors.
    pub system: Option<String>,
    /// The factor by which durations were multiplied.
    pub time_scale: f64,
    pub tests: Vec<PlannedTest>,
}

/// One test, one part of it, or one cell of a grid: a run of the driver.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedTest {
    pub name: String,
    /// The part of the test, if it has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The values of a grid's cell.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub cell: IndexMap<String, Value>,
    pub model: LoadModel,
    pub content: TestContent,
    pub classes: Vec<PlannedClass>,
    pub phases: Vec<PlannedPhase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<PlannedSearch>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drills: Vec<std::path::PathBuf>,
    /// The faults on the system, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<PlannedFault>,
    /// Conditions that end a ladder early.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub until: Vec<String>,
    /// It needs a prepared machine, and `--full` was given.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
    /// k6 options: the script reads them from `SPARRING_PLAN`.
    pub options: Value,
    /// Variables that the script reads.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, String>,
    pub before: PlannedBefore,
    pub judge: Judge,
    /// The longest time that the test can take, graceful stops included.
    pub longest_s: f64,
}

/// A user class of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedClass {
    pub name: String,
    pub script: std::path::PathBuf,
    pub exec: String,
    pub weight: u32,
    pub tasks: IndexMap<String, u32>,
    pub wait_s: [f64; 2],
    /// Of the simulated system; absent: its first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<String>,
}

/// A search, whose levels are known only at run time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedSearch {
    /// `users` or `rate_per_s`.
    pub of: &'static str,
    pub from: f64,
    pub until: f64,
    pub precision: f64,
    pub each_s: f64,
    pub rest_s: f64,
    /// The maximum number of steps; the confirmation counts twice.
    pub most_steps: u32,
}

/// The changes before the test, which are reverted after it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlannedBefore {
    pub reset: bool,
    pub set: IndexMap<String, IndexMap<String, Value>>,
    pub toggle: IndexMap<String, bool>,
    pub populate: IndexMap<String, u64>,
    pub ageing: Option<f64>,
    /// The scaling of lifetimes: logins and entries that would outlive the test as written also outlive the
    /// scaled test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Expiry>,
}

/// The lifetimes that a time scale does not change: users are never scaled, so neither are their logins and jobs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Expiry {
    /// The length of the test without a time scale.
    pub whole_s: f64,
    /// The length of the test.
    pub scaled_s: f64,
    /// The maximum length of an iteration of its users: nothing in use expires earlier.
    pub iteration_s: f64,
}

/// A part with the fields that it inherits from its test.
pub(crate) struct EffectivePart<'a> {
    pub file: &'a SuiteFile,
    pub name: &'a str,
    pub part: Option<&'a str>,
    pub model: Model,
    pub users: Vec<&'a String>,
    pub content: Content<'a>,
    pub faults: &'a IndexMap<String, SystemFault>,
    pub full: bool,
    pub before: &'a Before,
    pub judge: &'a Judge,
    pub env: IndexMap<String, String>,
}

/// Plans the selected tests of a checked file. `variable` reads the environment.
///
/// # Errors
/// A test or class that the file does not define, or an impossible load.
pub fn plan(
    file: &SuiteFile,
    selection: &Selection,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Plan, SelectionError> {
    let mut tests = Vec::new();
    select::has_full(file, selection)?;
    for name in select::tests(file, selection)? {
        let load = select::load_of(file, name, selection, variable)?;
        let classes = select::classes(file, selection)?;
        let parts = match selection.as_one {
            true => one::of(file, name, &classes).into_iter().collect(),
            false => only_theirs(select::parts(file, name, selection.full), &classes),
        };
        for whole in parts {
            let whole = select::replace_classes(whole, &classes);
            tests.extend(cells::planned(&whole, load, selection.time_scale));
        }
    }
    Ok(Plan {
        suite: file.suite.clone(),
        system: file.system.clone(),
        time_scale: selection.time_scale,
        tests,
    })
}

/// The parts that have exactly these classes, if there are any: `acso load Threats` is its part `threats`. Otherwise
/// all parts, so that the classes replace those of the parts.
fn only_theirs<'a>(
    parts: Vec<EffectivePart<'a>>,
    classes: &[&'a String],
) -> Vec<EffectivePart<'a>> {
    // Drills have no classes, and are selected only by naming none.
    let is_theirs = |part: &EffectivePart<'_>| !classes.is_empty() && part.users == classes;
    match parts.iter().any(is_theirs) {
        true => parts.into_iter().filter(is_theirs).collect(),
        false => parts,
    }
}

pub(crate) fn classes_of(whole: &EffectivePart<'_>) -> Vec<PlannedClass> {
    let class = |name: &&String| {
        whole.file.classes.get(*name).map(|class| PlannedClass {
            name: (*name).clone(),
            script: class.script.clone(),
            exec: class.exec.clone(),
            weight: class.weight,
            tasks: class.tasks.clone(),
            wait_s: class.wait_s,
            mix: class.mix.clone(),
        })
    };
    whole.users.iter().filter_map(class).collect()
}

/// The longest graceful stop among the classes of a part.
pub(crate) fn graceful_stop(whole: &EffectivePart<'_>) -> Duration {
    let stops = whole
        .users
        .iter()
        .filter_map(|name| whole.file.classes.get(*name));
    stops
        .map(|class| class.graceful_stop.get())
        .max()
        .unwrap_or_default()
}

/// The longest wait of a user of a part between two requests.
fn longest_wait(whole: &EffectivePart<'_>) -> Duration {
    let classes = whole.users.iter();
    let classes = classes.filter_map(|name| whole.file.classes.get(*name));
    let waits = classes.map(|class| class.wait_s[1]);
    Duration::from_secs_f64(waits.fold(0.0, f64::max))
}

impl PlannedTest {
    /// The number of users of a test of samples; 0 for other tests.
    pub fn sampling_users(&self) -> u64 {
        if self.content != TestContent::Samples {
            return 0;
        }
        let scenarios = self.options["scenarios"].as_object().into_iter().flatten();
        let measured = scenarios.filter(|(_, scenario)| scenario["tags"]["phase"].is_null());
        measured
            .filter_map(|(_, scenario)| scenario["vus"].as_u64())
            .sum()
    }
}

impl PlannedBefore {
    /// Simulated systems age faster by the factor by which time is shortened.
    pub(crate) fn new(before: &Before, time_scale: f64, simulated: bool) -> Self {
        let ageing = before.ageing.unwrap_or(1.0) / time_scale;
        Self {
            reset: before.reset,
            set: before.set.clone(),
            toggle: before.toggle.clone(),
            populate: before.populate.clone(),
            ageing: (simulated && (ageing - 1.0).abs() > f64::EPSILON).then_some(ageing),
            expiry: None,
        }
    }
}

impl SearchOf {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::RatePerS => "rate_per_s",
        }
    }
}
