//! Resumes an interrupted run (S-19).
//!
//! A long test writes a journal in the run's folder, so that neither Ctrl-C nor `kill -9` loses its
//! measurements. `--resume RUN` reads it back: completed tests are kept, the interrupted one continues where
//! it ended, and the others follow. The time between is not part of any figure; the report names it.

mod entry;
mod journal;

pub use entry::{InterruptedTest, Part};
pub use journal::{Journal, forget, heading};

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use report::RunRecord;
use report::record::{
    Conclusion, Event, EventKind, LedgerEntry, ResourceSample, TestContent, TestRecord,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::folder::Folder;
use super::measure::unix_now;
use crate::plan::{Plan, PlannedTest};

/// Tests that last at least this long, at whatever time scale, write a journal.
const LONG_S: f64 = 600.0;

/// An interrupted run.
#[derive(Debug)]
pub struct Resumption {
    pub folder: Folder,
    /// The records of earlier tests; `None` if the process was killed during the first one.
    pub record: Option<RunRecord>,
    /// The interrupted test.
    pub kept: Option<InterruptedTest>,
    pub began: Timestamp,
}

/// The reason why a run cannot be resumed.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    #[error("--resume: {} is not a run folder: it has no {}", path.display(), super::folder::COMMAND)]
    NoRun { path: PathBuf },
    #[error("--resume: {}: {why}", path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error(
        "--resume: {} has another plan: the suite or the command line has changed since",
        path.display()
    )]
    OtherPlan { path: PathBuf },
    #[error("--resume: {} is complete; nothing is left to run", path.display())]
    Complete { path: PathBuf },
}

impl Resumption {
    /// Reads an interrupted run of this plan.
    ///
    /// # Errors
    /// The folder is not an interrupted run, has another plan, or is complete.
    pub fn read(path: &Path, plan: &Plan) -> Result<Self, ResumeError> {
        let unreadable = |why: String| ResumeError::Unreadable {
            path: path.to_owned(),
            why,
        };
        let command = Command::read(path)?;
        let (folder, began) = (Folder::open(path), command.began);
        let planned = std::fs::read_to_string(path.join("plan.json"))
            .map_err(|error| unreadable(format!("plan.json cannot be read: {error}")))?;
        let planned: Value = serde_json::from_str(&planned)
            .map_err(|error| unreadable(format!("plan.json is not JSON: {error}")))?;
        if planned != json!(plan) {
            return Err(ResumeError::OtherPlan {
                path: path.to_owned(),
            });
        }
        let record = match std::fs::read_to_string(path.join("report.json")) {
            Ok(text) => {
                Some(report::record::read(&text).map_err(|error| unreadable(error.to_string()))?)
            }
            Err(_) => None,
        };
        if record.as_ref().is_some_and(|record| record.complete) {
            return Err(ResumeError::Complete {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            kept: InterruptedTest::read(path).map_err(unreadable)?,
            folder,
            record,
            began,
        })
    }

    /// The records of the completed tests.
    pub fn complete(&self) -> impl Iterator<Item = &TestRecord> {
        let tests = self.record.iter().flat_map(|record| &record.tests);
        tests.filter(|test| test.complete)
    }

    /// The content of a file of the run.
    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.path.join(name)).ok()
    }
}

/// The command line of a run, as stored in its folder.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Command {
    /// The arguments behind `sparring test`.
    pub arguments: Vec<String>,
    pub began: Timestamp,
}

impl Command {
    /// # Errors
    /// The folder is not that of a run.
    pub fn read(path: &Path) -> Result<Self, ResumeError> {
        let text = std::fs::read_to_string(path.join(super::folder::COMMAND)).map_err(|_| {
            ResumeError::NoRun {
                path: path.to_owned(),
            }
        })?;
        serde_json::from_str(&text).map_err(|error| ResumeError::Unreadable {
            path: path.to_owned(),
            why: error.to_string(),
        })
    }
}

/// Whether a test writes a journal: a long one of phases, or a soak. Tests with faults do not, because the
/// faults would have to be injected again.
pub fn keeps_journal(test: &PlannedTest) -> bool {
    let length = test.phases.last().map_or(0.0, |phase| phase.end_s);
    let is_soak = test.name == "soak" || test.judge.names.iter().any(|name| name == "leak");
    test.content == TestContent::Phases && test.faults.is_empty() && (is_soak || length >= LONG_S)
}

/// The observations of a test before it was interrupted, and the times of its interruptions.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Earlier {
    /// Whether the target was restarted.
    pub is_other_target: bool,
    target_source: Option<String>,
    target: Vec<ResourceSample>,
    generator: Vec<ResourceSample>,
    events: Vec<Event>,
    parts: Vec<Part>,
}

impl Earlier {
    pub fn of(kept: &InterruptedTest, is_other_target: bool) -> Self {
        Self {
            is_other_target,
            target_source: kept.target_source.clone(),
            target: kept.target.clone(),
            generator: kept.generator.clone(),
            events: kept.events.clone(),
            parts: kept.parts.clone(),
        }
    }

    /// Adds the earlier samples and events to the record, and the times of the interruptions.
    pub fn write_into(&self, record: &mut TestRecord) {
        let observed = &mut record.observed;
        if self.is_other_target {
            // A restarted process has lost its earlier state.
            let restarts = self.parts.len() as f64;
            for sample in &mut observed.target {
                *sample.other.entry("restarts".to_owned()).or_default() += restarts;
            }
        }
        observed.target.splice(0..0, self.target.iter().cloned());
        observed
            .generator
            .splice(0..0, self.generator.iter().cloned());
        observed.events.splice(0..0, self.events.iter().cloned());
        observed.events.extend(self.parts.iter().map(event));
        observed.events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        observed.target_source = observed
            .target_source
            .take()
            .or_else(|| self.target_source.clone());
        let thresholds = of_thresholds(record);
        record
            .ledger
            .extend(self.parts.iter().map(|part| LedgerEntry {
                what: "gap".to_owned(),
                conclusion: Conclusion::Suspect,
                text: format!("{}{thresholds}", sentence(part)),
            }));
        let parts: Vec<Value> = self.parts.iter().map(shown).collect();
        record.analysis.insert("resumed".to_owned(), json!(parts));
    }
}

fn shown(part: &Part) -> Value {
    json!({
        "at_s": part.at_s,
        "interrupted": timestamp(part.interrupted),
        "resumed": timestamp(part.resumed),
        "gap_s": part.gap_s(),
    })
}

fn event(part: &Part) -> Event {
    Event {
        at_s: part.at_s,
        kind: EventKind::Interrupted,
        text: sentence(part),
        detail: shown(part),
    }
}

fn sentence(part: &Part) -> String {
    format!(
        "The test was interrupted after {:.0} s, at {}, and resumed {:.0} s later; the results exclude the time between.",
        part.at_s,
        timestamp(part.interrupted),
        part.gap_s()
    )
}

/// k6 counts from the start of a process.
fn of_thresholds(record: &TestRecord) -> &'static str {
    let metrics = record.k6_summary["metrics"].as_object();
    let has_thresholds = metrics.is_some_and(|metrics| {
        metrics
            .values()
            .any(|metric| metric["thresholds"].is_object())
    });
    if has_thresholds {
        " k6's thresholds cover only the part after the interruption."
    } else {
        ""
    }
}

/// RFC 3339, to the second.
fn timestamp(unix_s: f64) -> String {
    Timestamp::from_second(unix_s as i64)
        .map(|time| time.to_string())
        .unwrap_or_default()
}

impl Part {
    /// A part that begins now, of a test that had lasted `at_s` when it was `interrupted`.
    pub fn now(at_s: f64, interrupted: f64, back_s: f64) -> Self {
        Self {
            at_s,
            back_s,
            interrupted,
            resumed: unix_now(),
        }
    }

    fn gap_s(&self) -> f64 {
        (self.resumed - self.interrupted).max(0.0)
    }
}
