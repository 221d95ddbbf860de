//! A test in the form of its journal.

use std::path::Path;

use report::record::{Event, ResourceSample};
use serde::{Deserialize, Serialize};

use crate::plan::PlannedPhase;
use crate::run::measure::{Store, StoreLine};

/// The journal's name in the run's folder.
pub const FILE: &str = "resume.jsonl";

/// One line of a journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The first line: the test and its target.
    Test {
        title: String,
        base_url: String,
    },
    /// Phases passed to the store, in order.
    Phases(Vec<PlannedPhase>),
    /// A measurement of the requests.
    Measured(StoreLine),
    /// Times of these are seconds from the start of the test.
    Target {
        source: String,
        sample: Box<ResourceSample>,
    },
    Generator(Box<ResourceSample>),
    Event(Event),
    /// All data up to this time, in seconds since 1970, is in the lines above.
    Until(f64),
    /// The test was resumed.
    Part(Part),
}

/// A period that follows an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The length of the test so far.
    pub at_s: f64,
    /// The time that it took to return to the level.
    pub back_s: f64,
    /// Seconds since 1970.
    pub interrupted: f64,
    pub resumed: f64,
}

/// The measurements of an interrupted test.
#[derive(Debug, Default)]
pub struct InterruptedTest {
    pub title: String,
    pub base_url: String,
    pub store: Store,
    pub phases: Vec<PlannedPhase>,
    pub target_source: Option<String>,
    pub target: Vec<ResourceSample>,
    pub generator: Vec<ResourceSample>,
    pub events: Vec<Event>,
    pub parts: Vec<Part>,
    /// The time of the last line, in seconds since 1970.
    pub last: f64,
}

impl InterruptedTest {
    /// Reads the journal in the folder of a run; `None` if there is none, or nothing was measured.
    ///
    /// # Errors
    /// A line other than the last one is invalid: a killed process leaves only the last one incomplete.
    pub fn read(folder: &Path) -> Result<Option<Self>, String> {
        let Ok(text) = std::fs::read_to_string(folder.join(FILE)) else {
            return Ok(None);
        };
        let mut kept = Self::default();
        let lines: Vec<&str> = text.lines().collect();
        for (place, line) in lines.iter().enumerate() {
            let taken = match serde_json::from_str(line) {
                Ok(entry) => kept.take(entry),
                Err(_) if place + 1 == lines.len() => Ok(()),
                Err(error) => Err(error.to_string()),
            };
            taken.map_err(|why| format!("line {} of {FILE}: {why}", place + 1))?;
        }
        // A phase that was about to begin did not take place.
        kept.phases.truncate(kept.store.marks().len());
        let at_s = kept.at_s();
        kept.parts.retain(|part| part.at_s < at_s);
        let has_begun = !kept.title.is_empty() && !kept.phases.is_empty();
        Ok((has_begun && kept.store.last_s() > 0.0).then_some(kept))
    }

    fn take(&mut self, entry: Entry) -> Result<(), String> {
        match entry {
            Entry::Test { title, base_url } => {
                self.title = title;
                self.base_url = base_url;
            }
            Entry::Phases(phases) => self.phases.extend(phases),
            Entry::Measured(line) => {
                if !self.store.take_line(line) {
                    return Err("an unknown series".to_owned());
                }
            }
            Entry::Target { source, sample } => {
                self.target_source = Some(source);
                self.target.push(*sample);
            }
            Entry::Generator(sample) => self.generator.push(*sample),
            Entry::Event(event) => self.events.push(event),
            Entry::Until(at) => self.last = at,
            Entry::Part(part) => self.parts.push(part),
        }
        Ok(())
    }

    /// The length of the test so far, in seconds.
    pub fn at_s(&self) -> f64 {
        self.store.last_s()
    }

    /// The completed length of the plan: without the times that it took to return to the level.
    pub fn of_plan_s(&self) -> f64 {
        let ends = self.parts.iter().skip(1).map(|part| part.at_s);
        let ends = ends.chain(std::iter::once(self.at_s()));
        let backs = self.parts.iter().zip(ends);
        let back: f64 = backs
            .map(|(part, end_s)| part.back_s.min(end_s - part.at_s))
            .sum();
        (self.at_s() - back).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_cut_by_a_kill_is_skipped() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let read = || InterruptedTest::read(folder.path());
        assert!(read().is_ok_and(|kept| kept.is_none()), "there is none");
        let phase = r#"{"name":"steady","kind":"steady","begin_s":0.0,"end_s":60.0,"users":2.0,"judged":true}"#;
        let totals = r#"{"measured":{"totals":{"marks":[{"begin_s":0.0,"end_s":60.0}],"checks":[],"last_s":12.5,"requests_s":null}}}"#;
        let test = r#"{"test":{"title":"soak","base_url":"http://x"}}"#;
        let part = r#"{"part":{"at_s":10.0,"back_s":2.0,"interrupted":5.0,"resumed":9.0}}"#;
        let text = format!(
            "{test}\n{{\"phases\":[{phase}]}}\n{totals}\n{part}\n{{\"until\":7.5}}\n{{\"meas"
        );
        std::fs::write(folder.path().join(FILE), &text).expect("written");
        let kept = read().expect("readable").expect("it has begun");
        assert_eq!((kept.title.as_str(), kept.last), ("soak", 7.5));
        assert_eq!((kept.at_s(), kept.of_plan_s()), (12.5, 10.5));
        let unknown = r#"{"measured":{"second":{"second":1,"intended":false,"cells":[[0,0,7]]}}}"#;
        for (line, why) in [("nonsense", "line 1"), (unknown, "an unknown series")] {
            std::fs::write(folder.path().join(FILE), format!("{line}\n{text}")).expect("written");
            assert!(read().is_err_and(|said| said.contains(why)), "{line}");
        }
    }
}
