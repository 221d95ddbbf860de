//! Interprets a command line: the suite, its tests, classes and load.
//!
//! Every spelling of the documents is resolved here and gets the plan of its canonical form: `--test-type T` is
//! `orchestrator T`, `--filter T` is `acso T`, `--quick-check` is `acso quick-check`, and Locust's `-u -r -t
//! CLASS` is one closed test with these values, of all classes of the locustfile if none is named.

use std::path::{Path, PathBuf};

use crate::builtin::{self, BUILT_IN, SuiteError};
use crate::file::SuiteFile;
use crate::plan::{LoadOverride, Selection, one};

/// The default suite.
const DEFAULT_SUITE: &str = "orchestrator";
/// The suite whose runner had `--filter` and `--quick-check`.
const FILTERED_SUITE: &str = "acso";
/// The test that Locust's flags change if no test and no class is named.
const LOCUST_TEST: &str = "load";

/// No phase is shorter than a second: a smaller time scale would only distort a test.
const LEAST_TIME_SCALE: f64 = 0.001;

/// A command line before its interpretation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Suites, tests and classes in any order.
    pub words: Vec<String>,
    pub system: Option<String>,
    /// The default suite of the environment, from the variable `PERF_SYSTEM`.
    pub otherwise: Option<String>,
    /// A suite file.
    pub config: Option<PathBuf>,
    pub test_type: Option<String>,
    pub filter: Option<String>,
    pub quick_check: bool,
    /// Tests in addition to those among the words.
    pub only: Vec<String>,
    /// Run every test of the suite, not only those of `all`.
    pub all_tests: bool,
    /// Include the parts that need a prepared machine.
    pub full: bool,
    pub load: LoadOverride,
    pub time_scale: Option<f64>,
}

/// A request with its names resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    pub file: SuiteFile,
    /// The folder that the file's paths are relative to; absent for a built-in suite.
    pub folder: Option<PathBuf>,
    pub selection: Selection,
    /// How the command line was understood, in a sentence.
    pub understood: String,
}

/// The reason why a command line is not valid.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("unknown suite `{name}`{}; there are {}", hint(nearest.as_deref()), suites())]
    Suite {
        name: String,
        nearest: Option<String>,
    },
    #[error("two suites are given, {first} and {second}; a run tests only one")]
    TwoSuites { first: String, second: String },
    #[error(
        "suite {suite} has no test and no user class `{name}`{} (tests: {}; classes: {})",
        hint(nearest.as_deref()), tests.join(", "), classes.join(", ")
    )]
    Word {
        suite: String,
        name: String,
        nearest: Option<String>,
        tests: Vec<String>,
        classes: Vec<String>,
    },
    #[error("{0} is a folder; name a suite file in it, such as {0}/suite.yaml")]
    Folder(String),
    #[error("the time scale {0} is out of range; use a number from {LEAST_TIME_SCALE} to 1")]
    TimeScale(f64),
    #[error(transparent)]
    File(#[from] SuiteError),
}

fn hint(nearest: Option<&str>) -> String {
    nearest
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

fn suites() -> String {
    BUILT_IN.map(|(name, _)| name).join(", ")
}

/// Finds the suite and sorts the words into tests and classes.
///
/// # Errors
/// An unknown name, with the most similar one; a suite file with errors.
pub fn resolve(request: &Request) -> Result<Resolved, RequestError> {
    let time_scale = request.time_scale.unwrap_or(1.0);
    if !(LEAST_TIME_SCALE..=1.0).contains(&time_scale) {
        return Err(RequestError::TimeScale(time_scale));
    }
    let (file, folder) = suite_of(request)?;
    let (mut tests, mut classes) = sorted(request, &file)?;
    if request.all_tests {
        tests.push("all-tests".to_owned());
    }
    let named = Named {
        tests: !tests.is_empty(),
        classes: !classes.is_empty(),
        load: request.load != LoadOverride::default(),
    };
    let as_one = named.load && !named.tests;
    if as_one && !named.classes {
        classes = file.locust.iter().flat_map(|it| it.users.clone()).collect();
    }
    if !named.tests && (named.load || named.classes) {
        tests.push(test_for(&file, &classes, as_one));
    }
    let selection = Selection {
        tests,
        classes,
        load: request.load,
        time_scale,
        full: request.full,
        as_one,
    };
    Ok(Resolved {
        understood: understood(&file, &selection, named),
        selection,
        file,
        folder,
    })
}

/// The names that a command line states explicitly.
#[derive(Clone, Copy)]
struct Named {
    tests: bool,
    classes: bool,
    load: bool,
}

fn understood(file: &SuiteFile, selection: &Selection, named: Named) -> String {
    let Selection { tests, classes, .. } = selection;
    let suite = &file.suite;
    let of = |name: &str| {
        let users = file.tests.get(name).map(|test| test.users.join(", "));
        users.filter(|users| !users.is_empty())
    };
    if selection.as_one {
        let name = tests.join(", ");
        let locustfile = file.locust.as_ref().filter(|_| !named.classes);
        let who = match (classes.as_slice(), locustfile) {
            ([], _) => "the users of the test".to_owned(),
            (all, Some(locust)) => {
                let file = locust.file.file_name().unwrap_or_default();
                let file = file.to_string_lossy();
                format!(
                    "all user classes of {file}, by their weights, as Locust runs them ({})",
                    all.join(", ")
                )
            }
            (named, _) => named.join(", "),
        };
        let narrower = of(&name).filter(|own| !named.classes && *own != classes.join(", "));
        let narrower = narrower.map_or_else(String::new, |own| {
            format!("; the test itself has {own}, and a class on the command line selects it alone")
        });
        return format!(
            "one closed test of suite {suite} with {who}, judged as its test {name}{narrower}"
        );
    }
    let tests = match (named.tests, tests.as_slice()) {
        (false, []) => format!(
            "the tests that suite {suite} runs if none is named, {}",
            file.default.join(", ")
        ),
        (_, [one]) => format!("test {one} of suite {suite}"),
        (_, several) => format!("tests {} of suite {suite}", several.join(", ")),
    };
    let with = match classes.as_slice() {
        [] => String::new(),
        classes => format!(", with the users of {}", classes.join(", ")),
    };
    let load = match named.load {
        true => "; users, spawn rate and run time replace those of each closed part",
        false => "",
    };
    format!("{tests}{with}{load}")
}

/// The suite of a command line: by its file, its system, a word, a flag that belongs to one suite, or a
/// class that only one suite has.
fn suite_of(request: &Request) -> Result<(SuiteFile, Option<PathBuf>), RequestError> {
    if let Some(path) = &request.config {
        return from_file(path);
    }
    let files: Vec<&String> = request.words.iter().filter(|word| is_path(word)).collect();
    let named = request.words.iter().filter(|word| is_suite(word));
    let mut all = request.system.iter().chain(named).chain(files);
    let first = all.next();
    if let (Some(first), Some(second)) = (first, all.find(|name| Some(*name) != first)) {
        return Err(RequestError::TwoSuites {
            first: first.clone(),
            second: second.clone(),
        });
    }
    let name = match first {
        Some(path) if is_path(path) => return from_file(Path::new(path)),
        Some(name) => name.as_str(),
        None if request.filter.is_some() || request.quick_check => FILTERED_SUITE,
        None if request.test_type.is_some() => DEFAULT_SUITE,
        None => class_owner(&request.words)
            .or(request.otherwise.as_deref())
            .unwrap_or(DEFAULT_SUITE),
    };
    let file = builtin::built_in(name).ok_or_else(|| RequestError::Suite {
        name: name.to_owned(),
        nearest: nearest(name, BUILT_IN.iter().map(|(name, _)| *name)),
    })??;
    Ok((file, None))
}

fn from_file(path: &Path) -> Result<(SuiteFile, Option<PathBuf>), RequestError> {
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    Ok((builtin::read(path)?, Some(folder)))
}

fn is_suite(word: &str) -> bool {
    BUILT_IN.iter().any(|(name, _)| *name == word)
}

fn is_path(word: &str) -> bool {
    word.contains('/')
        || [".yaml", ".yml", ".json"]
            .iter()
            .any(|end| word.ends_with(end))
}

/// The only built-in suite that has one of the words as a class.
fn class_owner(words: &[String]) -> Option<&'static str> {
    let has = |name: &&'static str| {
        let file = builtin::built_in(name).and_then(Result::ok);
        file.is_some_and(|file| words.iter().any(|word| file.classes.contains_key(word)))
    };
    let mut owners = BUILT_IN.iter().map(|(name, _)| *name).filter(has);
    let owner = owners.next()?;
    owners.next().is_none().then_some(owner)
}

/// The tests and classes among the words and flags.
fn sorted(request: &Request, file: &SuiteFile) -> Result<(Vec<String>, Vec<String>), RequestError> {
    let (mut tests, mut classes) = (Vec::new(), Vec::new());
    let flags = request
        .test_type
        .iter()
        .chain(&request.filter)
        .chain(&request.only);
    let words = request
        .words
        .iter()
        .filter(|word| !is_suite(word) && !is_path(word));
    for word in flags.chain(words) {
        if tests.contains(word) || classes.contains(word) {
            continue;
        }
        if word == "all" || word == "all-tests" || file.tests.contains_key(word) {
            tests.push(word.clone());
        } else if file.classes.contains_key(word) {
            classes.push(word.clone());
        } else if Path::new(word).is_dir() {
            return Err(RequestError::Folder(word.clone()));
        } else {
            return Err(unknown(word, file));
        }
    }
    if request.quick_check {
        tests.push("quick-check".to_owned());
    }
    Ok((tests, classes))
}

fn unknown(word: &str, file: &SuiteFile) -> RequestError {
    let tests: Vec<String> = file.tests.keys().cloned().collect();
    let classes: Vec<String> = file.classes.keys().cloned().collect();
    let known = tests.iter().chain(&classes).map(String::as_str);
    let known = known.chain(BUILT_IN.iter().map(|(name, _)| *name));
    RequestError::Word {
        suite: file.suite.clone(),
        name: word.to_owned(),
        nearest: nearest(word, known),
        tests,
        classes,
    }
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    live_config::read::nearest(name, known).map(str::to_owned)
}

/// The test for these classes. A command line with its own load selects `load`, unless `load` has no part with exactly
/// these classes and exactly one other test does. Classes alone select `load` if it has them among its users, otherwise
/// the first test with a part of exactly these classes.
fn test_for(file: &SuiteFile, classes: &[String], as_one: bool) -> String {
    let names = || file.tests.keys().map(String::as_str);
    let load = names().find(|name| *name == LOCUST_TEST && one::can_be(file, name));
    let has_own = |name: &&str| one::is_of(file, name, classes);
    let is_loads = |load: &&str| match as_one {
        true => classes.is_empty() || has_own(load),
        false => one::has_all(file, load, classes),
    };
    let mut own = names().filter(has_own);
    let theirs = match (own.next(), own.next()) {
        (Some(_), Some(_)) if as_one => None,
        (first, _) => first,
    };
    let chosen = load.filter(is_loads).or(theirs).or(load);
    chosen
        .or_else(|| names().find(|name| one::can_be(file, name)))
        .or_else(|| names().next())
        .unwrap_or_default()
        .to_owned()
}
