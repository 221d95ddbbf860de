//! `sparring drill`: a fault experiment against a running stack.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use fleet::Fleet;
use serde_json::json;
use service_runtime::Shutdown;
use suite::drill::{self, Drill, Stage, Target, Verdict};

use super::CommandResult;
use crate::cli::FleetArguments;
use crate::signals;

/// Runs a fault drill against a running stack and gives a verdict.
///
/// The drill's file (see tests/suites/) says what is normal, what breaks and for how long, and what
/// has to hold meanwhile. Nothing is injected into a system that is not steady to begin with; what
/// was injected is taken back however the drill ends, Ctrl-C included. Mock detectors are changed
/// through their admin API at the endpoints of the fleet file.
///
/// Exit codes: 0 everything held, 99 something did not, 4 the system was not steady before, 5 the
/// figures cannot be trusted, 1 the drill could not be carried out.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The drill's file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    fleet: FleetArguments,
    /// The orchestrator [default: the fleet file's host and port]
    #[arg(long, value_name = "URL", env = "PERF_BASE_URL")]
    orchestrator: Option<String>,
    /// Probes alone: leave out the load that the file asks for
    #[arg(long)]
    without_load: bool,
    /// Folder for the journal, drill_NAME.json
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    results: PathBuf,
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    arguments.fleet.init_logging("warn");
    let fleet = arguments.fleet.load()?;
    let mut drill = Drill::read(&arguments.file)?;
    if arguments.without_load {
        drill.load = None;
    }
    let target = target(arguments, &fleet);
    let driver = driver()?;
    println!("drill: {}", drill.title);
    let runtime = arguments.fleet.runtime(&fleet)?;
    let (outcome, seen) = runtime.block_on(async {
        let shutdown = Shutdown::new();
        signals::on_interrupt(shutdown.clone());
        drill::conduct(&drill, &target, &driver, &shutdown, tell).await
    })?;
    println!("{outcome}");
    let journal = json!({ "drill": drill.title, "outcome": outcome, "seen": seen });
    let path = write(&arguments.results, &arguments.file, &journal)?;
    println!("journal: {}", path.display());
    Ok(ExitCode::from(match outcome.verdict {
        Verdict::Passed => 0,
        Verdict::Failed => 99,
        Verdict::NotSteady => 4,
        Verdict::Spoilt => 5,
    }))
}

fn target(arguments: &Arguments, fleet: &Fleet) -> Target {
    let setting = |name: &str, otherwise: &str| {
        std::env::var(name)
            .ok()
            .filter(|value| !value.is_empty())
            .unwrap_or(otherwise.to_owned())
    };
    let host = match fleet.service.host {
        ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
        ip => ip.to_string(),
    };
    let declared = format!("http://{host}:{}", fleet.service.port);
    let detectors = fleet.detectors.iter().filter_map(|(name, detector)| {
        let (host, port) = detector.authority()?;
        Some((name.clone(), format!("http://{host}:{port}")))
    });
    Target {
        orchestrator: arguments.orchestrator.clone().unwrap_or(declared),
        headers: vec![
            (
                fleet.orchestration.auth.header.clone(),
                setting("ORCHESTRATION_PERF_API_KEY", "test-key"),
            ),
            (
                "X-Tenant-ID".to_owned(),
                setting("ORCHESTRATION_PERF_TENANT_ID", "perf-tenant"),
            ),
        ],
        detectors: detectors.collect(),
    }
}

/// This binary's own k6, quiet: the drill speaks for it.
fn driver() -> std::io::Result<Vec<OsString>> {
    let binary = std::env::current_exe()?;
    Ok(vec![binary.into(), "run".into(), "--quiet".into()])
}

fn tell(at: Duration, stage: Stage) {
    let at = at.as_secs_f64();
    match stage {
        Stage::Steadying => println!("{at:6.1} s  looking whether the system is steady"),
        Stage::Injected { detector, patch } => println!("{at:6.1} s  {detector}: injected {patch}"),
        Stage::TakenBack { detector } => println!("{at:6.1} s  {detector}: taken back"),
        Stage::Breaker { detector, state } => {
            println!("{at:6.1} s  breaker of {detector}: {state}");
        }
        Stage::Recovering => println!("{at:6.1} s  waiting for recovery"),
    }
}

fn write(folder: &Path, drill: &Path, journal: &serde_json::Value) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let name = drill.file_stem().unwrap_or_default().to_string_lossy();
    let path = folder.join(format!("{}.json", name.replace('-', "_")));
    std::fs::write(&path, format!("{journal:#}\n"))?;
    Ok(path)
}
