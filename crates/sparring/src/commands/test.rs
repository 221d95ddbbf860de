//! `sparring test`: a suite, a verdict, a report.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};
use fleet::Fleet;
use jiff::Timestamp;
use service_runtime::Shutdown;
use suite::{Report, Verdict};
use tokio::runtime::Runtime;

use super::CommandResult;
use crate::cli::FleetArguments;
use crate::driver::{self, args::ScriptFlags};
use crate::stack::{Ports, Stack};

/// Exit code of a run whose thresholds held and that still cannot be trusted.
const INVALID_RUN: u8 = 5;

/// Runs a suite and gives a verdict.
///
/// Without PERF_BASE_URL the whole stack, orchestrator and mock detectors, is started in this
/// process on free ports; with it, that service is tested. The load is the k6 script
/// tests/k6/orchestration_load.js, which obeys K6_SMOKE_VUS (5), K6_SMOKE_DURATION (2m),
/// K6_LOAD_… and K6_STRESS_…; it is judged by the fleet file's performance_targets.
///
/// Exit codes: 0 all thresholds held, 99 one was crossed, 5 they held but the run cannot be
/// trusted (samples were dropped), and the others of `k6 run` (105 interrupted, 107 script error).
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to run
    #[arg(value_enum, default_value_t = Suite::Smoke)]
    suite: Suite,
    #[command(flatten)]
    fleet: FleetArguments,
    /// Another k6 script instead of the built-in one
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Folder for performance_test_results_TIME.json, the time in UTC
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    results: PathBuf,
}

/// The suites; each is a scenario of the load script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// A few users for a short time: does it work at all?
    Smoke,
    /// The expected load, ramped up, held and ramped down
    Load,
    /// More than the expected load
    Stress,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Load => "load",
            Self::Stress => "stress",
        }
    }
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    arguments.fleet.init_logging("warn");
    let fleet = arguments.fleet.load()?;
    let runtime = arguments.fleet.runtime(&fleet)?;
    let script = Script::new(arguments.script.clone())?;
    let target = Target::new(&fleet, &runtime)?;
    let begun = Instant::now();
    let env = environment(arguments.suite, &fleet, target.base_url());
    let driven = driver::drive(&driver::Args {
        script: script.path.display().to_string(),
        script_flags: ScriptFlags {
            environment: env,
            ..ScriptFlags::default()
        },
        ..driver::Args::default()
    });
    let took = begun.elapsed();
    target.stop(&runtime);
    if driven.summary_data.is_null() {
        // It never began; the driver has said why.
        return Ok(ExitCode::from(driven.exit.code()));
    }

    let verdict = Verdict::from_summary(&driven.summary_data, driven.spoilt_by);
    let now = Timestamp::now();
    let mut report = Report::new(now);
    report.add(arguments.suite.name(), &verdict, driven.summary_data, took);
    let path = report.write(&arguments.results, now)?;
    println!("\n{verdict}report: {}", path.display());
    Ok(match driven.exit.code() {
        0 if !verdict.passed() => ExitCode::from(INVALID_RUN),
        code => ExitCode::from(code),
    })
}

/// What the script reads: the scenario, the service, and what the fleet file judges by.
fn environment(suite: Suite, fleet: &Fleet, base_url: String) -> Vec<String> {
    let targets = &fleet.performance_targets;
    let mut pairs = vec![
        ("K6_SCENARIO", suite.name().to_owned()),
        ("PERF_BASE_URL", base_url),
    ];
    let judged_by = [
        (
            "PERF_P95_RESPONSE_TIME_MS",
            targets.p95_response_time_ms.to_string(),
        ),
        ("PERF_SUCCESS_RATE", targets.success_rate.to_string()),
    ];
    pairs.extend(
        judged_by
            .into_iter()
            .filter(|(name, _)| std::env::var_os(name).is_none()),
    );
    pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

/// The service under test.
enum Target {
    Embedded(Stack),
    Given(String),
}

impl Target {
    fn new(fleet: &Fleet, runtime: &Runtime) -> Result<Self, crate::stack::StartError> {
        match std::env::var("PERF_BASE_URL") {
            Ok(url) if !url.is_empty() => Ok(Self::Given(url)),
            _ => {
                let shutdown = Shutdown::new();
                let start = Stack::start(fleet.clone(), Ports::Free, None, &shutdown);
                runtime.block_on(start).map(Self::Embedded)
            }
        }
    }

    fn base_url(&self) -> String {
        match self {
            Self::Embedded(stack) => stack.base_url(),
            Self::Given(url) => url.clone(),
        }
    }

    fn stop(self, runtime: &Runtime) {
        if let Self::Embedded(stack) = self {
            runtime.block_on(stack.stop());
        }
    }
}

/// The load script on disk: the given one, the repository's, or the built-in copy, which lives as
/// long as this value.
struct Script {
    path: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

impl Script {
    fn new(given: Option<PathBuf>) -> std::io::Result<Self> {
        let here = PathBuf::from("tests/k6/orchestration_load.js");
        if let Some(path) = given.or_else(|| here.exists().then_some(here)) {
            return Ok(Self {
                path,
                _folder: None,
            });
        }
        let folder = tempfile::tempdir()?;
        for (name, text) in [
            (
                "orchestration_load.js",
                include_str!("../../../../tests/k6/orchestration_load.js"),
            ),
            (
                "content.js",
                include_str!("../../../../tests/k6/content.js"),
            ),
        ] {
            std::fs::write(folder.path().join(name), text)?;
        }
        let path = folder.path().join("orchestration_load.js");
        Ok(Self {
            path,
            _folder: Some(folder),
        })
    }
}
