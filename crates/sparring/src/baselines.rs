//! Baselines on disk: `FOLDER/SUITE/TESTBED/NAME/{report.json, performance_baseline.json, testbed.txt}`,
//! never changed once they are there, and `FOLDER/SUITE/TESTBED/current` with the name of the current
//! one.

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use report::baseline::{self, Key};
use report::compare::testbed;
use report::{RunRecord, record, view};

use crate::run_folder::{self, NotARun};

/// The maximum length of a name: longer ones are not valid file names everywhere.
const LONGEST_NAME: usize = 100;

type Failure = Box<dyn Error + Send + Sync>;

/// The folder of all baselines.
#[derive(Debug)]
pub struct Baselines {
    folder: PathBuf,
}

/// A baseline in the list.
#[derive(Debug)]
pub struct Listed {
    pub key: Key,
    pub name: String,
    pub is_current: bool,
    pub record: Result<RunRecord, NotARun>,
}

impl Baselines {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Keeps a run as the baseline `name`. The first one of its suite and testbed becomes the current one at once.
    ///
    /// # Errors
    /// The run is unfit, the name is taken or not a name, or nothing can be written.
    pub fn save(&self, run: &RunRecord, name: &str) -> Result<PathBuf, Failure> {
        baseline::check(run)?;
        check_name(name)?;
        let key = baseline::key(run);
        let of_key = self.of(&key)?;
        let folder = of_key.join(name);
        std::fs::create_dir_all(&of_key).map_err(|error| cannot_write(&of_key, &error))?;
        // If two processes use the same name, only one of them succeeds.
        std::fs::create_dir(&folder).map_err(|error| -> Failure {
            if error.kind() == ErrorKind::AlreadyExists {
                format!(
                    "a baseline `{name}` of {} on testbed {} exists, and baselines are never changed; use another --name",
                    key.suite, key.testbed
                )
                .into()
            } else {
                cannot_write(&folder, &error)
            }
        })?;
        run_folder::write(
            &folder.join("testbed.txt"),
            format!("{}\n", testbed::describe(run)).as_bytes(),
        )?;
        if let Some(summary) = view::baseline(run) {
            let text = serde_json::to_string_pretty(&summary)?;
            run_folder::write(
                &folder.join(view::Baseline::FILE),
                format!("{text}\n").as_bytes(),
            )?;
        }
        // Written last, since this file makes the folder a baseline.
        run_folder::write(&folder.join("report.json"), record::write(run).as_bytes())?;
        if self.current_name(&key)?.is_none() {
            self.write_current(&of_key, name)?;
        }
        Ok(folder)
    }

    /// Makes a baseline the current one of its suite and testbed.
    ///
    /// # Errors
    /// No baseline, or more than one, has this name, or it cannot be written.
    pub fn promote(&self, name: &str, suite: Option<&str>) -> Result<Key, Failure> {
        let found = self.named(name, suite)?;
        self.write_current(&self.of(&found.key)?, name)?;
        Ok(found.key)
    }

    /// The one baseline of this name.
    ///
    /// # Errors
    /// No baseline has this name, or several of different suites or testbeds have it.
    pub fn named(&self, name: &str, suite: Option<&str>) -> Result<Listed, Failure> {
        let is_wanted = |listed: &Listed| {
            listed.name == name && suite.is_none_or(|suite| listed.key.suite == suite)
        };
        let mut found: Vec<Listed> = self.list()?.into_iter().filter(is_wanted).collect();
        match (found.pop(), found.as_slice()) {
            (None, _) => Err(format!("no baseline `{name}` in {}", self.folder.display()).into()),
            (Some(one), []) => Ok(one),
            (Some(one), [other, ..]) => Err(format!(
                "several baselines are named `{name}`: of {} on {}, of {} on {}; use --suite",
                other.key.suite, other.key.testbed, one.key.suite, one.key.testbed
            )
            .into()),
        }
    }

    /// All baselines by suite, testbed and the time at which they began.
    ///
    /// # Errors
    /// The folder cannot be read; a missing folder counts as empty.
    pub fn list(&self) -> Result<Vec<Listed>, Failure> {
        let mut all = Vec::new();
        for suite in folders(&self.folder)? {
            for testbed in folders(&self.folder.join(&suite))? {
                let key = Key {
                    suite: suite.clone(),
                    testbed,
                };
                self.list_key(&key, &mut all)?;
            }
        }
        Ok(all)
    }

    fn list_key(&self, key: &Key, all: &mut Vec<Listed>) -> Result<(), Failure> {
        let of_key = self.of(key)?;
        let current = self.current_name(key)?;
        let mut found = Vec::new();
        for name in folders(&of_key)? {
            let path = of_key.join(&name).join("report.json");
            // It is still being written.
            if path.is_file() {
                found.push(Listed {
                    key: key.clone(),
                    is_current: current.as_ref() == Some(&name),
                    record: run_folder::read(&path).map(|run| run.record),
                    name,
                });
            }
        }
        let began = |listed: &Listed| listed.record.as_ref().map(|run| run.began.clone()).ok();
        found.sort_by_key(|listed| (began(listed), listed.name.clone()));
        all.append(&mut found);
        Ok(())
    }

    /// The current baseline for a run, and the oldest one of its suite and testbed if that is older.
    ///
    /// # Errors
    /// Its suite has no baseline on this testbed, or the baseline cannot be read.
    pub fn for_run(&self, run: &RunRecord) -> Result<(RunRecord, Option<RunRecord>), Failure> {
        let key = baseline::key(run);
        let mut all = Vec::new();
        self.list_key(&key, &mut all)?;
        let current = all.iter().position(|listed| listed.is_current).ok_or_else(|| -> Failure {
            format!(
                "no baseline of {} on this testbed ({}): {}; `sparring baseline save RUN` creates one",
                key.suite,
                key.testbed,
                testbed::describe(run)
            )
            .into()
        })?;
        let current = all.remove(current);
        let oldest = all.into_iter().find_map(|listed| listed.record.ok());
        let current = current.record?;
        let is_older = |other: &RunRecord| other.began < current.began;
        Ok((current.clone(), oldest.filter(is_older)))
    }

    fn of(&self, key: &Key) -> Result<PathBuf, Failure> {
        check_name(&key.suite)?;
        Ok(self.folder.join(&key.suite).join(&key.testbed))
    }

    fn current_name(&self, key: &Key) -> Result<Option<String>, Failure> {
        let path = self.of(key)?.join("current");
        match std::fs::read_to_string(&path) {
            Ok(name) => Ok(Some(name.trim().to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{} cannot be read: {error}", path.display()).into()),
        }
    }

    fn write_current(&self, of_key: &Path, name: &str) -> Result<(), Failure> {
        run_folder::write(&of_key.join("current"), format!("{name}\n").as_bytes())
    }
}

/// Names become folders: letters, digits, `.`, `_`, `-`, and no leading dot.
fn check_name(name: &str) -> Result<(), Failure> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_name = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && !name.starts_with('.')
        && name != "current"
        && name.chars().all(is_plain);
    if is_name {
        Ok(())
    } else {
        Err(
            format!("`{name}` is not a valid baseline name; use letters, digits, `.`, `_` and `-`")
                .into(),
        )
    }
}

/// The folders in a folder, by name.
fn folders(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{} cannot be read: {error}", folder.display()).into()),
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    format!("{} cannot be written: {error}", path.display()).into()
}
