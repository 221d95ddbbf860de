//! Judges a whole run again from the evidence of its tests.

use indexmap::IndexMap;
use report::RunRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wire::{Evidence, EvidenceError};
use crate::judge::judge_run;

/// The evidence of the run itself, in the run's folder.
pub const RUN: &str = "evidence/run.json";

/// The files from which the figures of a run are computed, and the facts about the run beside its tests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunEvidence {
    /// The record without its tests.
    pub run: Option<RunRecord>,
    /// Whether questions that span tests were judged, which happens after the last one.
    pub judged: bool,
    /// The file of each test, by title in the order of the record.
    pub tests: IndexMap<String, String>,
    /// Locust's own figures, by test.
    #[serde(default)]
    pub locust: IndexMap<String, Value>,
}

/// Judges a run again; `file` returns the content of a file of its folder. `None`: the folder has no
/// evidence.
///
/// # Errors
/// A file of the evidence is missing or cannot be read.
pub fn again(file: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Option<RunRecord>, EvidenceError> {
    let Some(evidence) = RunEvidence::read(file)? else {
        return Ok(None);
    };
    let Some(mut record) = evidence.run.clone() else {
        return Ok(None);
    };
    for title in evidence.tests.keys() {
        record.tests.push(evidence.test(title, file)?);
    }
    if evidence.judged {
        judge_run(&mut record);
    }
    Ok(Some(record))
}

impl RunEvidence {
    /// # Errors
    /// The file exists and cannot be read.
    pub fn read(file: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Option<Self>, EvidenceError> {
        let Some(bytes) = file(RUN) else {
            return Ok(None);
        };
        let read = serde_json::from_slice(&bytes);
        read.map(Some).map_err(|error| EvidenceError::Malformed {
            file: RUN.to_owned(),
            why: error.to_string(),
        })
    }

    /// The record of one test, judged again on its own.
    ///
    /// # Errors
    /// Its evidence is missing or cannot be read.
    pub fn test(
        &self,
        title: &str,
        file: &dyn Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<report::record::TestRecord, EvidenceError> {
        let name = self.tests.get(title).map_or(title, String::as_str);
        let bytes = file(name).ok_or_else(|| EvidenceError::Missing {
            file: name.to_owned(),
        })?;
        let evidence = Evidence::read(&bytes).map_err(|why| EvidenceError::Malformed {
            file: name.to_owned(),
            why,
        })?;
        let mut record = evidence.record();
        record.locust_result = self.locust.get(title).cloned();
        Ok(record)
    }

    /// A name for the file of another test.
    pub fn new_file(&self, name: &str) -> String {
        let named = |place: usize| format!("evidence/{place}.{name}.jsonl.gz");
        let is_taken = |file: &String| self.tests.values().any(|known| known == file);
        let mut names = (self.tests.len()..).map(named);
        names
            .find(|file| !is_taken(file))
            .expect("there are more names than tests")
    }
}
