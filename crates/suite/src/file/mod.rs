//! A suite file: the tests of one system, as people write them.
//!
//! The types here are the file's form; [`check`] holds what serde cannot. A file is
//! read with all of its errors at once, each with its path.

mod alerts;
mod check;
mod fault;
mod judge;
mod locust;
mod phase;
mod prometheus;
mod resources;
mod span;
mod test;

pub use alerts::{Alerts, Sink};
pub use check::check;
pub use fault::{MetricSign, Probe, Sign, SystemFault};
pub use judge::{Against, Grade, GradeBounds, GradeName, Judge};
pub use locust::Locust;
pub use phase::{Ladder, Matrix, Phase, Ramp, Rest, Samples, Search, SearchOf, Steady};
pub use prometheus::Prometheus;
pub use resources::Resources;
pub use span::Span;
pub use test::{Before, Content, Model, Overrides, Part, Test};

use std::path::PathBuf;

use indexmap::IndexMap;
use report::export::Format;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The tests of one system.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuiteFile {
    /// The name by which the command line knows the suite.
    pub suite: String,
    /// The simulated system that is started when no base URL is given: a shipped one, or the file of another,
    /// relative to this one. Absent: the orchestrator with its mock detectors.
    pub system: Option<String>,
    /// What the suite is about, in a sentence.
    #[serde(default)]
    pub description: String,
    /// Reports that are written beside `report.json`.
    #[serde(default)]
    pub views: Vec<View>,
    /// The tests that run when none is named.
    pub default: Vec<String>,
    /// The tests that `all` stands for, in their order.
    pub all: Vec<String>,
    /// Where the target's resources are read.
    pub resources: Option<Resources>,
    pub prometheus: Option<Prometheus>,
    #[serde(default)]
    pub alerts: Alerts,
    pub locust: Option<Locust>,
    /// User classes by name.
    pub classes: IndexMap<String, Class>,
    /// Graded bounds by figure: `avg_ms`, `p50_ms`, `p95_ms`, `p99_ms`, `error_rate`, `success_rate`, `rps`, `ops_per_s`,
    /// `cpu_ratio` or `memory_ratio`.
    #[serde(default)]
    pub grades: IndexMap<Grade, GradeBounds>,
    /// The tests by name.
    pub tests: IndexMap<String, Test>,
}

/// The JSON Schema (2020-12) of suite files, for editors.
pub fn schema() -> Value {
    schemars::schema_for!(SuiteFile).into()
}

/// A report in the form of one of the documents, or in a common format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// The report of the detector orchestration document.
    Detectors,
    /// The report of ACSO's document.
    Acso,
    /// The report of AIaaS's document.
    Aiaas,
    /// The tables of ACIS's document.
    Acis,
    /// The report of AGENT360's document.
    Agent360,
    /// The page.
    Html,
    /// Locust's CSV files, and one with all figures.
    Csv,
    /// JUnit XML: a case for each question of the verdict.
    Junit,
}

impl View {
    pub const fn format(self) -> Format {
        match self {
            Self::Detectors => Format::Detectors,
            Self::Acso => Format::Acso,
            Self::Aiaas => Format::Aiaas,
            Self::Acis => Format::Acis,
            Self::Agent360 => Format::Agent360,
            Self::Html => Format::Html,
            Self::Csv => Format::Csv,
            Self::Junit => Format::Junit,
        }
    }

    /// Whether it has the form of one of the documents.
    pub const fn is_document(self) -> bool {
        !matches!(self, Self::Html | Self::Csv | Self::Junit)
    }
}

/// A user class: an exported function of a k6 script, and a class of the same name for Locust.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// The script, relative to the suite file.
    pub script: PathBuf,
    /// The exported function that is one iteration of a user.
    pub exec: String,
    /// The wait between two iterations, uniform in seconds, as the script has it. It is stated here
    /// for reports and for the closed model's response-time law.
    pub wait_s: [f64; 2],
    /// The share of users of this class among several, relative to the others.
    #[serde(default = "one")]
    pub weight: u32,
    /// The weights of the tasks, as the script has them; judged against what was counted.
    #[serde(default)]
    pub tasks: IndexMap<String, u32>,
    /// How long an iteration may take to end when its phase is over.
    #[serde(default = "graceful_stop")]
    pub graceful_stop: Span,
}

fn one() -> u32 {
    1
}

fn graceful_stop() -> Span {
    Span::from_secs(30)
}
