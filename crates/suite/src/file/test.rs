//! A test: its model, what it does, and what is judged.

use indexmap::IndexMap;
use report::record::LoadModel;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Judge, Ladder, Matrix, Phase, Samples, Search, SystemFault};

/// Whether users wait for responses (closed) or requests arrive at a rate (open).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// Requests arrive at a rate, whether or not earlier ones were answered.
    Open,
    /// Users wait for a response before they continue.
    Closed,
}

impl From<Model> for LoadModel {
    fn from(model: Model) -> Self {
        match model {
            Model::Open => Self::Open,
            Model::Closed => Self::Closed,
        }
    }
}

/// A test: one part, or several that run one after the other.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// The question that the test answers, in a sentence.
    pub about: String,
    /// Named parts in order. Absent: the fields of the test are its only part.
    #[serde(default)]
    pub parts: IndexMap<String, Part>,
    /// Absent: `closed`.
    pub model: Option<Model>,
    /// User classes; they share the users by weight.
    #[serde(default)]
    pub users: Vec<String>,
    /// Load over time; one of `phases`, `ladder`, `search`, `matrix`, `samples` and `drills`.
    pub phases: Option<Vec<Phase>>,
    pub ladder: Option<Ladder>,
    pub search: Option<Search>,
    pub matrix: Option<Matrix>,
    pub samples: Option<Samples>,
    /// Drill files, relative to the suite file.
    pub drills: Option<Vec<std::path::PathBuf>>,
    /// Faults of the system while the load is steady, by name.
    #[serde(default)]
    pub faults: IndexMap<String, SystemFault>,
    #[serde(default)]
    pub before: Before,
    /// Variables that the script reads.
    #[serde(default)]
    pub env: IndexMap<String, String>,
    #[serde(default)]
    pub judge: Judge,
    /// Variables that replace users, spawn rate and duration.
    #[serde(default)]
    pub overrides: Overrides,
}

/// One part of a test. Absent fields are taken from the test.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub model: Option<Model>,
    /// User classes; they share the users by weight.
    #[serde(default)]
    pub users: Vec<String>,
    pub phases: Option<Vec<Phase>>,
    pub ladder: Option<Ladder>,
    pub search: Option<Search>,
    pub matrix: Option<Matrix>,
    pub samples: Option<Samples>,
    /// Drill files, relative to the suite file.
    pub drills: Option<Vec<std::path::PathBuf>>,
    #[serde(default)]
    pub faults: IndexMap<String, SystemFault>,
    pub before: Option<Before>,
    /// Variables that the script reads.
    #[serde(default)]
    pub env: IndexMap<String, String>,
    pub judge: Option<Judge>,
    /// Runs only with --full, because it needs a prepared machine, such as for tens of thousands of open connections.
    #[serde(default)]
    pub full: bool,
}

/// What a part does, exactly one of these.
#[derive(Debug, Clone, PartialEq)]
pub enum Content<'a> {
    Phases(&'a [Phase]),
    Ladder(&'a Ladder),
    Search(&'a Search),
    Matrix(&'a Matrix),
    Samples(&'a Samples),
    Drills(&'a [std::path::PathBuf]),
}

/// The contents that are given, by name; a valid part has exactly one.
macro_rules! contents {
    ($of:expr) => {
        [
            $of.phases
                .as_deref()
                .map(|it| ("phases", Content::Phases(it))),
            $of.ladder
                .as_ref()
                .map(|it| ("ladder", Content::Ladder(it))),
            $of.search
                .as_ref()
                .map(|it| ("search", Content::Search(it))),
            $of.matrix
                .as_ref()
                .map(|it| ("matrix", Content::Matrix(it))),
            $of.samples
                .as_ref()
                .map(|it| ("samples", Content::Samples(it))),
            $of.drills
                .as_deref()
                .map(|it| ("drills", Content::Drills(it))),
        ]
        .into_iter()
        .flatten()
        .collect()
    };
}

impl Test {
    pub fn contents(&self) -> Vec<(&'static str, Content<'_>)> {
        contents!(self)
    }
}

impl Part {
    pub fn contents(&self) -> Vec<(&'static str, Content<'_>)> {
        contents!(self)
    }
}

/// Changes to the system before a test, which are reverted however the test ends.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Reset the document, stores, caches and the journal.
    #[serde(default)]
    pub reset: bool,
    /// Limits: host, resource, value.
    #[serde(default)]
    pub set: IndexMap<String, IndexMap<String, Value>>,
    /// Optimisations by name.
    #[serde(default)]
    pub toggle: IndexMap<String, bool>,
    /// Rows by store.
    #[serde(default)]
    pub populate: IndexMap<String, u64>,
    /// The factor by which leaks and expiries run faster.
    pub ageing: Option<f64>,
}

/// Environment variables; the first one that is set takes effect.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// The number of users.
    #[serde(default)]
    pub users: Vec<String>,
    /// Users that start per second.
    #[serde(default)]
    pub spawn_rate: Vec<String>,
    /// The length of the whole test.
    #[serde(default)]
    pub duration: Vec<String>,
}
