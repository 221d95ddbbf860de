//! `sparring drill`: a fault experiment against a running stack.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use fleet::Fleet;
use suite::builtin::built_in;
use suite::drill::{self, Drill, Ending, Opens, Stage, Target, Verdict};
use suite::preflight::folder;
use suite::run::Admin;

use super::CommandResult;
use crate::admin_target;
use crate::cli::FleetArguments;
use crate::environment;
use crate::fleet_names::find;
use crate::reach::reach;
use crate::signals;
use crate::terminal::{self, Usage, say};

/// Runs a fault drill against a running stack and gives a verdict.
///
/// The drill's file (see tests/suites/) states what is normal, which faults are injected for how long, and
/// what has to hold meanwhile. Nothing is injected into a system that is not steady beforehand.
/// Faults are reverted however the drill ends: by Ctrl-C, a closed terminal or an error; when the
/// drill is killed, the mocks revert them within 6 s. Mock detectors are changed through their
/// admin API at the endpoints of the fleet file. A drill continues when its output is closed.
///
/// The faults of simulated systems are part of their suites: `sparring test acis fault-tolerance`.
///
/// Exit codes: 0 everything held, 99 something did not, 4 the system was not steady beforehand,
/// 5 the figures cannot be trusted, 105 it was interrupted, and its journal has what was observed so far,
/// 1 the drill could not be carried out or its journal could not be written.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The drill's file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    fleet: FleetArguments,
    /// The orchestrator [default: the fleet file's host and port]
    #[arg(long, value_name = "URL", env = "PERF_BASE_URL")]
    orchestrator: Option<String>,
    /// Send probes only, without the load that the file declares
    #[arg(long)]
    without_load: bool,
    /// Folder for the journal, drill_NAME_TIME.json, the time in UTC
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    results: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  sparring drill tests/suites/drill-detector-dies.yaml
  sparring drill tests/suites/drill-all-slow.yaml --orchestrator http://127.0.0.1:9000
  sparring drill tests/suites/drill-flapping.yaml --without-load --results out";

pub fn execute(arguments: &Arguments) -> CommandResult {
    arguments.fleet.init_logging("warn");
    if let Some(instead) = instead(arguments) {
        return Err(Usage(instead).into());
    }
    let fleet = arguments.fleet.load()?;
    let mut drill = Drill::read(&arguments.file)?;
    if arguments.without_load {
        drill.load = None;
    }
    resolve_names(&mut drill, &fleet)?;
    let target = target(arguments, &fleet);
    let driver = driver()?;
    folder::probe(&arguments.results)?;
    let runtime = arguments.fleet.runtime(&fleet)?;
    runtime.block_on(reach("orchestrator", &target.orchestrator))?;
    say!("drill: {}", drill.title);
    let conducted = runtime.block_on(async {
        let ending = Ending::default();
        signals::on_any_end(ending.clone());
        drill::conduct(&drill, &target, &driver, &ending, tell).await
    })?;
    say!("{}", conducted.outcome);
    let code = match conducted.outcome.verdict {
        Verdict::Passed => 0,
        Verdict::Failed => 99,
        Verdict::NotSteady => 4,
        Verdict::Untrusted => 5,
        Verdict::Interrupted => 105,
    };
    if conducted.outcome.verdict == Verdict::Interrupted && conducted.is_reverted {
        say!("everything injected was reverted");
    }
    match conducted.write(&drill, &arguments.results, &arguments.file) {
        Ok(path) => say!("journal: {}", path.display()),
        // The verdict remains valid, but a drill without its journal is not a success.
        Err(error) if code == 0 => return Err(error.into()),
        Err(error) => drop(terminal::report(&error)),
    }
    Ok(ExitCode::from(code))
}

/// The command that injects the faults of what is named, if it is not a drill: a suite, or the URL of a simulated system.
fn instead(arguments: &Arguments) -> Option<String> {
    let named = arguments.file.to_string_lossy();
    if built_in(&named).is_some() && !arguments.file.exists() {
        let why = format!("{named} is not the file of a drill");
        return Some(of_suite(&why, &named, ""));
    }
    let is_url = named.starts_with("http://") || named.starts_with("https://");
    let url = Some(&*named).filter(|_| is_url);
    let url = url.or(arguments.orchestrator.as_deref())?;
    let state = Admin::new(url).state().unwrap_or_default();
    let system = state["system"].as_str();
    match system.filter(|_| state["simulated"] == true) {
        Some(system) => {
            let why = format!("{url} is the simulated system {system}");
            Some(of_suite(&why, system, &format!(" --base-url {url}")))
        }
        None if is_url => Some(format!(
            "{named} is not the file of a drill; `sparring drill FILE --orchestrator {named}` drills the service there"
        )),
        None => None,
    }
}

fn of_suite(why: &str, system: &str, flag: &str) -> String {
    let command = match built_in(system) {
        Some(_) => format!("sparring test {system} fault-tolerance{flag}"),
        None => format!("sparring test FILE{flag}"),
    };
    format!(
        "{why}; `{command}` injects the faults of its suite under load, and judges detection and recovery"
    )
}

/// Replaces aliases by canonical names, which mocks and metrics use.
///
/// # Errors
/// A fault names a detector that is not in the fleet, or whose admin API cannot be reached.
fn resolve_names(drill: &mut Drill, fleet: &Fleet) -> Result<(), String> {
    for fault in drill
        .faults
        .iter_mut()
        .filter(|fault| fault.detector != "all")
    {
        let found = find(fleet, &fault.detector);
        let (name, detector) = found.map_err(|unknown| unknown.to_string())?;
        admin_target::authority(name, detector)?;
        fault.detector = name.to_owned();
    }
    let resolve = |name: &mut String| {
        // The detector may have been registered later.
        if let Ok((found, _)) = find(fleet, name) {
            *name = found.to_owned();
        }
    };
    match drill
        .detect
        .as_mut()
        .map(|detect| &mut detect.breaker_opens)
    {
        Some(Opens::Each(names)) => names.iter_mut().for_each(resolve),
        Some(Opens::One(name)) if name != "any" => resolve(name),
        _ => {}
    }
    Ok(())
}

fn target(arguments: &Arguments, fleet: &Fleet) -> Target {
    let host = match fleet.service.host {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let declared = format!("http://{}", SocketAddr::new(host, fleet.service.port));
    let detectors = fleet.detectors.iter().filter_map(|(name, detector)| {
        let authority = admin_target::authority(name, detector).ok()?;
        Some((name.clone(), format!("http://{authority}")))
    });
    Target {
        orchestrator: arguments.orchestrator.clone().unwrap_or(declared),
        headers: headers(fleet),
        detectors: detectors.collect(),
    }
}

/// The headers of a drill's probes: the key and the tenant of load tests.
pub(super) fn headers(fleet: &Fleet) -> Vec<(String, String)> {
    let setting = |name: &str, otherwise: &str| {
        environment::nonempty_text(name).unwrap_or(otherwise.to_owned())
    };
    vec![
        (
            fleet.orchestration.auth.header.clone(),
            setting("ORCHESTRATION_PERF_API_KEY", "test-key"),
        ),
        (
            "X-Tenant-ID".to_owned(),
            setting("ORCHESTRATION_PERF_TENANT_ID", "perf-tenant"),
        ),
    ]
}

/// The k6 of this binary, without output of its own.
fn driver() -> std::io::Result<Vec<OsString>> {
    let binary = std::env::current_exe()?;
    Ok(vec![binary.into(), "run".into(), "--quiet".into()])
}

fn tell(at: Duration, stage: Stage) {
    let at = at.as_secs_f64();
    match stage {
        Stage::Steadying => say!("{at:6.1} s  checking for a steady state"),
        Stage::Injected { detector, patch } => say!("{at:6.1} s  {detector}: injected {patch}"),
        Stage::Reverted { detector } => say!("{at:6.1} s  {detector}: reverted"),
        Stage::Breaker { detector, state } => {
            say!("{at:6.1} s  breaker of {detector}: {state}");
        }
        Stage::Recovering => say!("{at:6.1} s  waiting for recovery"),
    }
}
