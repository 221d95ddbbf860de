//! Selects the tests to run, with their classes and load.

use std::time::Duration;

use indexmap::IndexMap;

use super::{EffectivePart, one};
use crate::file::{Model, Overrides, Part, Span, SuiteFile, Test};

/// The selection of the command line.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// Tests by name; `all` and `all-tests` stand for several. Empty: the suite's default.
    pub tests: Vec<String>,
    /// User classes instead of those of the test.
    pub classes: Vec<String>,
    pub load: LoadOverride,
    /// The factor for durations; above 0, at most 1.
    pub time_scale: f64,
    /// Include the parts that need a prepared machine.
    pub full: bool,
    /// Make each test one closed test of all of these classes, whatever parts it has, as a command line of
    /// Locust does.
    pub as_one: bool,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            tests: Vec::new(),
            classes: Vec::new(),
            load: LoadOverride::default(),
            time_scale: 1.0,
            full: false,
            as_one: false,
        }
    }
}

/// Users, spawn rate and run time, like Locust's `-u`, `-r` and `-t`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LoadOverride {
    pub users: Option<f64>,
    pub spawn_rate: Option<f64>,
    /// Includes the ramp.
    pub run_time: Option<Duration>,
}

impl LoadOverride {
    fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// A name that the file does not define.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SelectionError {
    #[error("suite {suite} has no test `{name}`{}; it has {}", hint(nearest.as_deref()), known.join(", "))]
    Test {
        suite: String,
        name: String,
        nearest: Option<String>,
        known: Vec<String>,
    },
    #[error("suite {suite} has no user class `{name}`{}; it has {}", hint(nearest.as_deref()), known.join(", "))]
    Class {
        suite: String,
        name: String,
        nearest: Option<String>,
        known: Vec<String>,
    },
    #[error("{variable} is `{value}`; {expected}")]
    Variable {
        variable: String,
        value: String,
        expected: &'static str,
    },
    #[error(
        "test {name} has no number of users that can be changed; leave out users, spawn rate and run time"
    )]
    Load { name: String },
    #[error(
        "--full adds parts that need a prepared machine; {}",
        without_larger(suite, others)
    )]
    Full { suite: String, others: Vec<String> },
}

fn without_larger(suite: &str, others: &[String]) -> String {
    match others {
        [] => format!("suite {suite} has none and is complete without it: leave out --full"),
        others => format!(
            "the selected tests of suite {suite} have none and are complete without it: leave out --full, or add {}",
            others.join(", ")
        ),
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

/// The selected tests in their order.
pub(super) fn tests<'a>(
    file: &'a SuiteFile,
    selection: &Selection,
) -> Result<Vec<&'a str>, SelectionError> {
    let mut names: Vec<&str> = Vec::new();
    let asked: Vec<&str> = match selection.tests.as_slice() {
        [] => file.default.iter().map(String::as_str).collect(),
        given => given.iter().map(String::as_str).collect(),
    };
    for name in asked {
        match name {
            "all" => names.extend(file.all.iter().map(String::as_str)),
            "all-tests" => names.extend(file.tests.keys().map(String::as_str)),
            _ => names.push(known(file, name)?),
        }
    }
    Ok(names)
}

/// Whether `--full`, if given, adds to the selected tests.
pub(super) fn has_full(file: &SuiteFile, selection: &Selection) -> Result<(), SelectionError> {
    let adds = |name: &str| file.tests[name].parts.values().any(|part| part.full);
    if !selection.full || tests(file, selection)?.into_iter().any(adds) {
        return Ok(());
    }
    let others = file.tests.keys().filter(|name| adds(name));
    Err(SelectionError::Full {
        suite: file.suite.clone(),
        others: others.cloned().collect(),
    })
}

fn known<'a>(file: &'a SuiteFile, name: &str) -> Result<&'a str, SelectionError> {
    let found = file.tests.get_key_value(name);
    found
        .map(|(name, _)| name.as_str())
        .ok_or_else(|| SelectionError::Test {
            suite: file.suite.clone(),
            name: name.to_owned(),
            nearest: nearest(name, file.tests.keys()),
            known: file.tests.keys().cloned().collect(),
        })
}

/// The requested classes; none: those of each test.
pub(super) fn classes<'a>(
    file: &'a SuiteFile,
    selection: &Selection,
) -> Result<Vec<&'a String>, SelectionError> {
    let find = |name: &String| {
        let found = file.classes.get_key_value(name).map(|(name, _)| name);
        found.ok_or_else(|| SelectionError::Class {
            suite: file.suite.clone(),
            name: name.clone(),
            nearest: nearest(name, file.classes.keys()),
            known: file.classes.keys().cloned().collect(),
        })
    };
    selection.classes.iter().map(find).collect()
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Option<String> {
    live_config::read::nearest(name, known.map(String::as_str)).map(str::to_owned)
}

/// The load of a test: the command line's, then the variables that the test names.
pub(super) fn load_of(
    file: &SuiteFile,
    name: &str,
    selection: &Selection,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<LoadOverride>, SelectionError> {
    let overrides = &file.tests[name].overrides;
    let given = selection.load;
    let load = LoadOverride {
        users: given.users.or(number(&overrides.users, variable)?),
        spawn_rate: given
            .spawn_rate
            .or(number(&overrides.spawn_rate, variable)?),
        run_time: given.run_time.or(time(overrides, variable)?),
    };
    if load.is_empty() {
        return Ok(None);
    }
    if !one::can_be(file, name) {
        return Err(SelectionError::Load {
            name: name.to_owned(),
        });
    }
    Ok(Some(load))
}

fn number(
    names: &[String],
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<f64>, SelectionError> {
    let Some((name, text)) = first(names, variable) else {
        return Ok(None);
    };
    let parsed: Option<f64> = text.trim().parse().ok();
    match parsed.filter(|number| *number > 0.0 && number.is_finite()) {
        Some(number) => Ok(Some(number)),
        None => Err(SelectionError::Variable {
            variable: name,
            value: text,
            expected: "a number above 0 is expected",
        }),
    }
}

fn time(
    overrides: &Overrides,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Duration>, SelectionError> {
    let Some((name, text)) = first(&overrides.duration, variable) else {
        return Ok(None);
    };
    let parsed: Option<Span> = text.parse().ok();
    match parsed.map(Span::get).filter(|time| !time.is_zero()) {
        Some(time) => Ok(Some(time)),
        None => Err(SelectionError::Variable {
            variable: name,
            value: text,
            expected: "a duration such as 30s or 5m is expected",
        }),
    }
}

/// The first of the variables that is set and not empty.
fn first(names: &[String], variable: &dyn Fn(&str) -> Option<String>) -> Option<(String, String)> {
    let set = |name: &String| {
        Some((
            name.clone(),
            variable(name).filter(|text| !text.is_empty())?,
        ))
    };
    names.iter().find_map(set)
}

/// The parts of a test with their inherited fields; those that need a prepared machine only on request. The file's
/// check ensures one content per part.
pub(super) fn parts<'a>(file: &'a SuiteFile, name: &'a str, full: bool) -> Vec<EffectivePart<'a>> {
    let Some((name, test)) = file.tests.get_key_value(name) else {
        return Vec::new();
    };
    if test.parts.is_empty() {
        return whole(file, name, test).into_iter().collect();
    }
    let part = |(part, own): (&'a String, &'a Part)| part_of(file, name, test, part, own);
    let wanted = test.parts.iter().filter(|(_, part)| full || !part.full);
    wanted.filter_map(part).collect()
}

fn whole<'a>(file: &'a SuiteFile, name: &'a str, test: &'a Test) -> Option<EffectivePart<'a>> {
    let (_, content) = test.contents().into_iter().next()?;
    Some(EffectivePart {
        file,
        name,
        part: None,
        model: test.model.unwrap_or(Model::Closed),
        users: test.users.iter().collect(),
        content,
        faults: &test.faults,
        full: false,
        before: &test.before,
        judge: &test.judge,
        env: test.env.clone(),
    })
}

fn part_of<'a>(
    file: &'a SuiteFile,
    name: &'a str,
    test: &'a Test,
    part: &'a str,
    own: &'a Part,
) -> Option<EffectivePart<'a>> {
    let (_, content) = own.contents().into_iter().chain(test.contents()).next()?;
    let faults = if own.faults.is_empty() {
        &test.faults
    } else {
        &own.faults
    };
    let mut env: IndexMap<String, String> = test.env.clone();
    env.extend(own.env.clone());
    Some(EffectivePart {
        file,
        name,
        part: Some(part),
        model: own.model.or(test.model).unwrap_or(Model::Closed),
        users: if own.users.is_empty() {
            &test.users
        } else {
            &own.users
        }
        .iter()
        .collect(),
        content,
        faults,
        full: own.full,
        before: own.before.as_ref().unwrap_or(&test.before),
        judge: own.judge.as_ref().unwrap_or(&test.judge),
        env,
    })
}

/// The part with the classes of the command line, if there are any.
pub(super) fn replace_classes<'a>(
    whole: EffectivePart<'a>,
    classes: &[&'a String],
) -> EffectivePart<'a> {
    if classes.is_empty() {
        return whole;
    }
    EffectivePart {
        users: classes.to_vec(),
        ..whole
    }
}
