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
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The tests of one system.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuiteFile {
    /// The name of the suite on the command line.
    pub suite: String,
    /// The simulated system that is started if no base URL is given: a built-in one, or a system file
    /// relative to this file. Absent: the orchestrator with its mock detectors.
    pub system: Option<String>,
    /// The service under test, such as `http://127.0.0.1:8080`; nothing is started then. `--base-url` and
    /// `PERF_BASE_URL` replace it.
    pub base_url: Option<String>,
    /// A sentence about the suite.
    #[serde(default)]
    pub description: String,
    /// Reports that are written in addition to `report.json`.
    #[serde(default)]
    pub views: Vec<View>,
    /// The tests that run if none is named.
    pub default: Vec<String>,
    /// The tests of `all`, in order.
    pub all: Vec<String>,
    /// The source of the target's resources.
    pub resources: Option<Resources>,
    pub prometheus: Option<Prometheus>,
    #[serde(default)]
    pub alerts: Alerts,
    pub locust: Option<Locust>,
    /// User classes by name.
    pub classes: IndexMap<String, Class>,
    /// Bounds of the grades, by figure: `avg_ms`, `p50_ms`, `p95_ms`, `p99_ms`, `error_rate`, `success_rate`, `rps`,
    /// `ops_per_s`, `cpu_ratio` or `memory_ratio`.
    #[serde(default)]
    pub grades: IndexMap<Grade, GradeBounds>,
    /// The tests by name.
    pub tests: IndexMap<String, Test>,
}

/// The JSON Schema (2020-12) of suite files, for editors.
pub fn schema() -> Value {
    schemars::schema_for!(SuiteFile).into()
}

/// A report in the format of one of the documents, or in a common format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
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
    /// The exported function of one iteration of a user.
    pub exec: String,
    /// The bounds of the wait between two iterations, in seconds, distributed uniformly as in the script. Reports and
    /// the response-time law of the closed model use it.
    pub wait_s: [f64; 2],
    /// The share of users of this class, relative to the other classes.
    #[serde(default = "one")]
    pub weight: u32,
    /// The weights of the tasks, as in the script; compared with the counted tasks.
    #[serde(default)]
    pub tasks: IndexMap<String, u32>,
    /// The mix of the simulated system, or the endpoint, that its users request. The system's own figures for it are shown next to
    /// those of a test, and determine how many virtual users an open test allocates. Absent: the first mix of the system.
    pub mix: Option<String>,
    /// The time that an iteration may take to end after its phase.
    #[serde(default = "graceful_stop")]
    pub graceful_stop: Span,
}

fn one() -> u32 {
    1
}

fn graceful_stop() -> Span {
    Span::from_secs(30)
}
