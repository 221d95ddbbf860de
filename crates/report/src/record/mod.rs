//! The measurements of a run and their judgement: the content of `report.json`.
//!
//! Times of day are RFC 3339 in UTC; durations and offsets are seconds; latencies are milliseconds;
//! shares are ratios from 0 to 1; sizes are bytes. A figure that was not measured is `null`, never 0.

mod design;
mod figures;
mod judged;
mod observed;
mod outcome;
mod read;
mod threshold_series;

pub use design::{LoadModel, PhaseKind, TestContent};
pub use figures::{Endpoint, EndpointSecond, Figures, Latency, PERCENTILES, Second, route};
pub use judged::{Conclusion, Finding, FoundAndTrue, Judgement, LedgerEntry, Severity, Standing};
pub use observed::{Event, EventKind, Observed, ResourceSample};
pub use outcome::Outcome;
pub use read::{ReadError, read, schema, write};
pub use threshold_series::ThresholdSeries;

use analysis::percentile::Definition;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the format. Readers reject newer versions.
pub const SCHEMA: u32 = 1;

/// How percentiles are computed from histograms: the smallest recorded value that at least this share of
/// the values does not exceed (rank method).
pub const PERCENTILE_METHOD: &str = "rank";

/// The method of a record in words: its name, and its definition if it is known.
pub fn percentile_definition(method: &str) -> String {
    let definition = match method {
        "rank" => Definition::Rank,
        "type6" => Definition::Type6,
        "type7" => Definition::Type7,
        other => return other.to_owned(),
    };
    let meaning = match definition {
        Definition::Rank => {
            ", the smallest measured value that at least this share does not exceed"
        }
        Definition::Type6 | Definition::Type7 => "",
    };
    format!("{}{meaning}", definition.name())
}

/// One run of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    pub schema: u32,
    /// The name of the run's folder.
    pub run: String,
    pub suite: String,
    /// When the run began, RFC 3339 in UTC.
    pub began: String,
    pub duration_s: f64,
    /// False when the run ended before its planned end.
    pub complete: bool,
    /// The reason why the run is not complete.
    pub incomplete_because: Option<String>,
    /// The titles of the planned tests that did not run, in the order of the plan.
    #[serde(default)]
    pub not_run: Vec<String>,
    pub outcome: Outcome,
    pub time_scale: f64,
    pub seed: Option<u64>,
    /// SHA-256 of the plan's JSON, in hexadecimal.
    pub plan_hash: String,
    /// The files in the run's folder from which its numbers can be computed again, with their SHA-256 in
    /// hexadecimal.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub evidence: IndexMap<String, String>,
    pub percentile_method: String,
    pub target: Target,
    pub generator: Generator,
    /// Environment variables that affected the run or were recorded.
    pub environment: IndexMap<String, String>,
    pub tests: Vec<TestRecord>,
}

/// The target under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The system's name, or the URL of a service.
    pub name: String,
    pub base_url: String,
    /// True for a simulated system, and for the embedded stack's mock detectors.
    pub simulated: bool,
    /// The revision of the system's document, or the version reported by the service.
    pub revision: Option<String>,
}

/// The load generator and its machine: the testbed, which is part of the key of baselines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    pub name: String,
    pub version: String,
    pub cpu_model: Option<String>,
    pub cores: Option<u32>,
    pub memory_bytes: Option<u64>,
    pub kernel: Option<String>,
}

/// One test of a run, one part of it, or one cell of its grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestRecord {
    pub name: String,
    pub part: Option<String>,
    /// The values of a grid's cell.
    pub cell: IndexMap<String, Value>,
    pub model: LoadModel,
    pub content: TestContent,
    pub classes: Vec<String>,
    /// Seconds from the start of the run.
    pub begin_s: f64,
    pub duration_s: f64,
    pub complete: bool,
    pub outcome: Outcome,
    /// The reasons for the outcome as sentences, the most severe first.
    pub reasons: Vec<String>,
    pub phases: Vec<PhaseRecord>,
    /// Figures of the whole test, over all endpoints.
    pub figures: Figures,
    /// Figures of the whole test by endpoint.
    pub endpoints: Vec<Endpoint>,
    /// One entry a second.
    pub seconds: Vec<Second>,
    /// The requests that one user of each class sent while the system rested: one entry for each second with such
    /// probes. No other figure includes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Second>,
    /// Series of the metrics that thresholds use, in addition to all requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<ThresholdSeries>,
    pub observed: Observed,
    pub judgements: Vec<Judgement>,
    pub findings: Vec<Finding>,
    pub truth: Vec<FoundAndTrue>,
    pub ledger: Vec<LedgerEntry>,
    /// The checks of the scripts: name, passes, fails.
    pub checks: Vec<Check>,
    /// The exceptions that ended iterations of the scripts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<ScriptException>,
    /// k6's machine-readable summary.
    pub k6_summary: Value,
    /// Locust's own figures, with `--with-locust`.
    pub locust_result: Option<Value>,
    /// Results of the analyses of the whole test: `usl`, `knee`, `search`, `soak`, `drill`, ….
    pub analysis: IndexMap<String, Value>,
}

/// A phase of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseRecord {
    pub name: String,
    pub kind: PhaseKind,
    /// Seconds from the start of the test.
    pub begin_s: f64,
    pub end_s: f64,
    /// The planned level at its end: users of a closed test.
    pub users: Option<f64>,
    /// The planned level at its end: arrivals per second of an open test.
    pub rate_per_s: Option<f64>,
    pub judged: bool,
    pub figures: Figures,
    pub endpoints: Vec<Endpoint>,
}

/// A check of a script, and how often it held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    pub name: String,
    pub passes: u64,
    pub fails: u64,
}

/// How often an exception ended an iteration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScriptException {
    pub message: String,
    /// The places in the script that it passed, the innermost first, one per line.
    pub traceback: String,
    pub count: u64,
}

impl TestRecord {
    /// The number of requests that got no response, such as refused connections and time-outs: their status is 0.
    pub fn without_response(&self) -> u64 {
        // Other protocols may have no status, or 0 for a success.
        let silent = |endpoint: &Endpoint| {
            let of_no_status = endpoint.statuses.get("0").copied().unwrap_or(0);
            of_no_status.min(endpoint.figures.failures)
        };
        let http = self.endpoints.iter().filter(|it| is_http(&it.method));
        http.map(silent).sum()
    }

    /// The target's samples in the phases: those of the preparation and of the wait for idle users say nothing about the
    /// load. All samples if no phase has one, and for drills, which observe the target between their phases.
    pub fn target_in_phases(&self) -> Vec<&ResourceSample> {
        let all = &self.observed.target;
        let is_in_phase = |sample: &&ResourceSample| {
            let mut phases = self.phases.iter();
            phases.any(|phase| phase.begin_s <= sample.at_s && sample.at_s <= phase.end_s)
        };
        let within: Vec<&ResourceSample> = all.iter().filter(is_in_phase).collect();
        if within.is_empty() || self.content == TestContent::Drills {
            all.iter().collect()
        } else {
            within
        }
    }

    /// `name`, `name/part`, and the cell's values: unique within a run.
    pub fn title(&self) -> String {
        title(&self.name, self.part.as_deref(), &self.cell)
    }
}

/// Only HTTP responses have a status.
fn is_http(method: &str) -> bool {
    !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The title of a test that has run, or of one that is planned.
pub fn title(name: &str, part: Option<&str>, cell: &IndexMap<String, Value>) -> String {
    let mut title = name.to_owned();
    if let Some(part) = part {
        title = format!("{title}/{part}");
    }
    if !cell.is_empty() {
        let cell: Vec<String> = cell
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        title = format!("{title}[{}]", cell.join(", "));
    }
    title
}

impl RunRecord {
    /// When the run began, to the second: `2026-08-14T09:30:00Z`.
    pub fn began_to_the_second(&self) -> String {
        match self.began.split_once('.') {
            Some((second, fraction)) if fraction.ends_with('Z') => format!("{second}Z"),
            _ => self.began.clone(),
        }
    }

    /// Whether the outcome is that of the worst test. Otherwise it belongs to the run itself: it was
    /// interrupted between two tests, or a test could not begin.
    pub fn is_decided_by_its_tests(&self) -> bool {
        let outcomes = self.tests.iter().map(|test| test.outcome);
        self.outcome == outcomes.fold(Outcome::Passed, Outcome::worst)
    }
}
