//! `sparring check`: all errors of a file at once: a fleet's, a suite's, a drill's or a target system's.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fleet::{Fleet, Source};
use serde_json::Value;
use suite::drill::Drill;
use suite::kind::Kind;
use target_systems::System;

use super::target::told;
use super::{CommandResult, counted};
use crate::fleet_names;
use crate::terminal::say;

type Failure = Box<dyn Error + Send + Sync>;

/// The fields of a policy that name detectors.
const NAMING: [&str; 5] = [
    "detectors",
    "required_detectors",
    "preference",
    "on_failure",
    "weights",
];

/// Reads a fleet file with its overrides from SPARRING_… variables, the file of a suite (which has
/// `tests`), of a drill (`steady_state`) or of a target system (`endpoints`), and reports every error with its
/// path and a hint. Exit code 0: the file is valid; 1: it is not.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The file, or a pipe such as /dev/stdin [default: detectors.yaml if it exists, otherwise the built-in fleet]
    #[arg(value_name = "FILE", env = "SPARRING_CONFIG")]
    file: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  sparring check                         detectors.yaml, or the built-in fleet
  sparring check own.yaml                a fleet, a suite, a drill or a target system
  cat own.yaml | sparring check /dev/stdin";

pub fn execute(arguments: &Arguments) -> CommandResult {
    for line in examine(arguments.file.as_deref())? {
        say!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The content of a file: a headline, then a line for each of its parts.
///
/// # Errors
/// All its errors, each on a separate line.
pub fn examine(file: Option<&Path>) -> Result<Vec<String>, Failure> {
    // Only once, since a pipe cannot be read again.
    let source = Source::read(file)?;
    let kind = live_config::read::yaml(&source.text)
        .ok()
        .and_then(|value| Kind::of(&value));
    match kind.filter(|_| file.is_some()) {
        Some(Kind::Suite) => return check_suite(file, &source),
        Some(Kind::Drill) => return check_drill(&source),
        Some(Kind::System) => return check_system(&source.origin, &source.text),
        None if is_script(&source.origin) => {
            let file = &source.origin;
            let hint = format!("{file} is a script; `sparring doctor --script {file}` tries it");
            return Err(hint.into());
        }
        Some(Kind::Fleet) | None => {}
    }
    let fleet = fleet::load_from(source, &[])?;
    // Policies and dialects, which only the orchestrator can check.
    orchestrator::Config::try_from(&fleet)?;
    let unknown = unknown_in_policies(&fleet);
    if !unknown.is_empty() {
        return Err(format!(
            "policies name {}:\n  {}",
            counted(unknown.len(), "unknown detector"),
            unknown.join("\n  ")
        )
        .into());
    }
    let mut lines = vec![format!(
        "{}, no errors",
        counted(fleet.detectors.len(), "detector")
    )];
    let detectors = fleet.detectors.iter();
    lines.extend(detectors.map(|(name, detector)| format!("  {name}  {}", detector.endpoint)));
    Ok(lines)
}

/// Whether a file is one for `sparring run`.
fn is_script(file: &str) -> bool {
    [".js", ".mjs", ".ts"]
        .iter()
        .any(|ending| file.ends_with(ending))
}

fn check_drill(source: &Source) -> Result<Vec<String>, Failure> {
    let drill = Drill::parse(Path::new(&source.origin), &source.text)?;
    let faults = drill.faults.iter();
    let mut lines = vec![format!(
        "drill {}: {}, no errors",
        drill.title,
        counted(drill.faults.len(), "fault")
    )];
    lines.extend(faults.map(|fault| format!("  {}  {}", fault.detector, fault.patch)));
    Ok(lines)
}

fn check_system(name: &str, text: &str) -> Result<Vec<String>, Failure> {
    let system = System::read(text).map_err(|invalid| told(name, &invalid))?;
    let document = &system.document;
    let mut lines = vec![format!(
        "system {}: {}, {}, no errors",
        document.system,
        counted(document.endpoints.len(), "endpoint"),
        counted(document.components.len(), "component")
    )];
    let endpoints = document.endpoints.iter();
    lines.extend(endpoints.map(|(name, endpoint)| format!("  {name}  {}", endpoint.route)));
    Ok(lines)
}

/// A suite in a file is checked with its scripts, which a pipe does not have.
fn check_suite(path: Option<&Path>, source: &Source) -> Result<Vec<String>, Failure> {
    let folder = path.filter(|path| path.is_file()).and_then(Path::parent);
    let file = suite::builtin::parse(&source.origin, &source.text, folder)?;
    let mut lines = vec![format!(
        "suite {}: {}, {}, no errors",
        file.suite,
        counted(file.tests.len(), "test"),
        counted(file.classes.len(), "class")
    )];
    let tests = file.tests.iter();
    lines.extend(tests.map(|(name, test)| format!("  {name}  {}", test.about)));
    Ok(lines)
}

/// Path and hint for each unknown detector in a policy. The service starts with such a policy, since the detector
/// may be registered later; in a file it is almost always a mistake.
fn unknown_in_policies(fleet: &Fleet) -> Vec<String> {
    let mut unknown = Vec::new();
    for (tenant, bundles) in &fleet.orchestration.policies {
        for (bundle, policy) in bundles {
            for field in NAMING {
                let path = format!("orchestration.policies.{tenant}.{bundle}.{field}");
                let named: Vec<(String, &str)> = match &policy[field] {
                    Value::Array(names) => names
                        .iter()
                        .enumerate()
                        .filter_map(|(index, name)| {
                            Some((format!("{path}[{index}]"), name.as_str()?))
                        })
                        .collect(),
                    Value::Object(map) => map
                        .keys()
                        .map(|name| (format!("{path}.{name}"), name.as_str()))
                        .collect(),
                    _ => continue,
                };
                let message = |(path, name): (String, &str)| {
                    let hint = fleet_names::find(fleet, name).err()?;
                    Some(format!("{path}: {hint}"))
                };
                unknown.extend(named.into_iter().filter_map(message));
            }
        }
    }
    unknown
}
