//! A record in other formats: Markdown, JUnit, CSV, and the views of the documents.

mod junit;
mod locust;
mod long;
mod markdown;

pub use junit::junit;
pub use locust::{NODE, locust};
pub use long::long;
pub use markdown::markdown;

use std::str::FromStr;

use crate::alerting;
use crate::page;
use crate::record::{self, RunRecord, TestRecord};
use crate::view::{self, Baseline};

/// A file to be written beside `report.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// The name without a folder.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The formats of a record; the names are those of a suite's `views`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    Html,
    Markdown,
    Junit,
    /// Locust's four files for each test, and all figures in one long table.
    Csv,
    /// `report.json` itself.
    Json,
    Detectors,
    Acso,
    Aiaas,
    Acis,
    Agent360,
    /// Prometheus rules from the thresholds, and their unit tests from the run's seconds.
    Rules,
}

impl Format {
    pub const ALL: [Self; 11] = [
        Self::Html,
        Self::Markdown,
        Self::Junit,
        Self::Csv,
        Self::Json,
        Self::Detectors,
        Self::Acso,
        Self::Aiaas,
        Self::Acis,
        Self::Agent360,
        Self::Rules,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Markdown => "markdown",
            Self::Junit => "junit",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Detectors => "detectors",
            Self::Acso => "acso",
            Self::Aiaas => "aiaas",
            Self::Acis => "acis",
            Self::Agent360 => "agent360",
            Self::Rules => "rules",
        }
    }

    /// The files of a run in this format, without a baseline for comparison.
    pub fn artefacts(self, run: &RunRecord) -> Vec<Artefact> {
        self.artefacts_beside(run, None)
    }

    /// The files of a run in this format, with the summary of the baseline from its folder.
    pub fn artefacts_beside(self, run: &RunRecord, baseline: Option<&Baseline>) -> Vec<Artefact> {
        match self {
            Self::Html => vec![artefact("report.html", page::page(run))],
            Self::Markdown => vec![artefact("report.md", markdown(run))],
            Self::Junit => vec![artefact("junit.xml", junit(run))],
            Self::Csv => csv(run),
            Self::Json => vec![artefact("report.json", record::write(run))],
            Self::Detectors => {
                let name = format!("performance_test_results_{}.json", stamp(run));
                vec![artefact(&name, pretty(&view::detectors(run)))]
            }
            Self::Acso => vec![artefact(
                "performance_results.json",
                pretty(&view::acso(run)),
            )],
            Self::Aiaas => vec![artefact("aiaas.json", pretty(&view::aiaas(run, baseline)))],
            Self::Acis => view::acis(run),
            Self::Agent360 => view::agent360(run),
            Self::Rules => vec![
                artefact(alerting::RULES, alerting::rules(run)),
                artefact(alerting::TESTS, alerting::unit_tests(run)),
            ],
        }
    }
}

/// The text is not the name of a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a format; use html, markdown, junit, csv, json, detectors, acso, aiaas, acis, agent360 or rules"
)]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let format = Self::ALL.into_iter().find(|format| format.name() == name);
        format.ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

pub(crate) fn artefact(name: &str, text: String) -> Artefact {
    Artefact {
        name: name.to_owned(),
        bytes: text.into_bytes(),
    }
}

pub(crate) fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn csv(run: &RunRecord) -> Vec<Artefact> {
    let mut files: Vec<Artefact> = prefixes(run, "locust")
        .into_iter()
        .flat_map(|(prefix, test)| locust(run, test, &prefix))
        .collect();
    files.push(artefact("figures.csv", long(run)));
    files
}

/// Each test with a prefix for file names: `alone` for a single test, otherwise its title as far as a file
/// name permits.
pub(crate) fn prefixes<'a>(run: &'a RunRecord, alone: &str) -> Vec<(String, &'a TestRecord)> {
    if let [test] = run.tests.as_slice() {
        return vec![(alone.to_owned(), test)];
    }
    let mut named: Vec<(String, &TestRecord)> = Vec::new();
    for test in &run.tests {
        let wanted = file_name(&test.title());
        let taken = named.iter().filter(|(name, _)| *name == wanted).count();
        let name = match taken {
            0 => wanted,
            _ => format!("{wanted}-{}", named.len()),
        };
        named.push((name, test));
    }
    named
}

fn file_name(title: &str) -> String {
    let mut name = String::new();
    for character in title.chars().take(80) {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' => name.push(character),
            _ if name.ends_with('_') || name.is_empty() => {}
            _ => name.push('_'),
        }
    }
    let name = name.trim_matches(['_', '.']);
    if name.is_empty() {
        "test".to_owned()
    } else {
        name.to_owned()
    }
}

/// The start of the run, for file names: `20260814T093000Z`.
fn stamp(run: &RunRecord) -> String {
    let digits = run.began.split('.').next().unwrap_or_default();
    let stamp: String = digits.chars().filter(char::is_ascii_alphanumeric).collect();
    if stamp.ends_with('Z') {
        stamp
    } else {
        format!("{stamp}Z")
    }
}
