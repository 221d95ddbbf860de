//! `sparring doctor`: finds everything that would stop or spoil a run, before it begins.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use load_driver::Surroundings;
use serde_json::json;
use suite::preflight::{self, Finding, Load};
use tokio::runtime::Runtime;

use super::{CommandResult, check};
use crate::environment::unknown;
use crate::process::surroundings;
use crate::terminal::say;
use crate::{reach, stack};

/// Check this machine and the files of a run
///
/// The command checks the configuration, ports, descriptors, local ports, the clock and the disk, and with
/// --base-url and --script the service and the script.
///
/// It prints one line for each check. The line of a problem ends with its remedy. Exit code 0: no problems;
/// 1: at least one. `sparring test` warns of the same limits before it runs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The fleet, suite or system file [default: detectors.yaml if it exists, otherwise the built-in fleet]
    #[arg(long, short = 'c', value_name = "FILE", env = "SPARRING_CONFIG")]
    config: Option<PathBuf>,
    /// The service under test; the ports of the fleet file are then not needed
    #[arg(
        long,
        value_name = "URL",
        env = "PERF_BASE_URL",
        hide_env_values = true
    )]
    base_url: Option<String>,
    /// A k6 script: it is compiled, and its init code runs once
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Concurrent users, or arrivals per second, that this machine has to support
    #[arg(long, value_name = "N", default_value_t = 500)]
    users: u32,
    /// Folder for results
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    results: PathBuf,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sparring doctor                        whether `sparring up` and `sparring test` can run here
  sparring doctor --base-url http://127.0.0.1:8080 --script load.js
                                         and the service and the script of a test
  sparring doctor --users 20000 --json   for a large test, as JSON";

pub fn execute(arguments: &Arguments) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut findings = configuration(arguments.config.as_deref());
    findings.extend(variables());
    let url = arguments.base_url.as_deref().filter(|url| !url.is_empty());
    match url {
        Some(url) => findings.extend(service(&runtime, url)),
        None => findings.extend(ports(&runtime, arguments.config.as_deref())),
    }
    let users = u64::from(arguments.users);
    findings.extend(preflight::machine(Load::of(users), &arguments.results));
    if let Some(path) = &arguments.script {
        findings.push(script(path, url));
    }
    let problems = findings.iter().filter(|found| found.is_problem).count();
    if arguments.json {
        say!("{:#}", as_json(&findings, problems));
    } else {
        print(&findings, problems);
    }
    Ok(ExitCode::from(u8::from(problems > 0)))
}

/// The findings of `sparring check`; each error is a separate problem.
fn configuration(path: Option<&Path>) -> Vec<Finding> {
    match check::examine(path) {
        Ok(lines) => {
            let first = lines.into_iter().next().unwrap_or_default();
            vec![Finding::sound(
                "config",
                format!("{}: {first}", origin(path)),
            )]
        }
        Err(error) => problems_in(error.as_ref()),
    }
}

/// Variables that look like settings and are none.
fn variables() -> impl Iterator<Item = Finding> {
    let unknown = unknown::unknown().into_iter();
    unknown.map(|unknown| {
        let fix = unknown.fix();
        Finding::problem("variables", unknown.to_string()).fixed_by(fix)
    })
}

/// The file that is read if none is named.
fn origin(path: Option<&Path>) -> String {
    match path {
        Some(path) => path.display().to_string(),
        None if Path::new("detectors.yaml").exists() => "detectors.yaml".to_owned(),
        None => "the built-in fleet".to_owned(),
    }
}

/// A headline with a line for each error, or an error with its causes.
fn problems_in(error: &(dyn Error + 'static)) -> Vec<Finding> {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    let text = load_driver::without_numbers(&text);
    let lines: Vec<&str> = text.lines().collect();
    match lines.as_slice() {
        [_, errors @ ..] if !errors.is_empty() => errors
            .iter()
            .map(|line| Finding::problem("config", line.trim()))
            .collect(),
        _ => vec![Finding::problem("config", text.as_str())],
    }
}

/// The ports of the stack of a fleet file. None if the file cannot be used, which is a separate problem, or is not a
/// fleet file.
fn ports(runtime: &Runtime, path: Option<&Path>) -> Vec<Finding> {
    let Ok(fleet) = fleet::load(path, &[]) else {
        return Vec::new();
    };
    let taken = runtime.block_on(stack::taken(&fleet));
    if taken.is_empty() {
        let count = fleet.detectors.len() + 1;
        let said = format!("the {count} ports of the stack are free");
        return vec![Finding::sound("ports", said)];
    }
    let fix = "end that process, use `sparring up --free-ports`, or change the port in the file";
    let taken = taken.iter();
    taken
        .map(|error| Finding::problem("ports", error.to_string()).fixed_by(fix))
        .collect()
}

/// Checks whether the service listens, answers, is healthy, and has the same time as this machine.
fn service(runtime: &Runtime, url: &str) -> Vec<Finding> {
    if !reach::goes_through_a_proxy()
        && let Err(error) = runtime.block_on(reach::reach("service", url))
    {
        let fix = match error {
            reach::Unreachable::Url { .. } => "correct --base-url",
            reach::Unreachable::Silent { .. } => "start it, or correct --base-url",
        };
        return vec![Finding::problem("service", error.to_string()).fixed_by(fix)];
    }
    let health = match reach::health(url) {
        Ok(Some(health)) => health,
        Ok(None) => {
            let said = format!("{url} accepts connections");
            return vec![Finding::sound("service", said)];
        }
        Err(late) => {
            let fix = "check its log: it accepts connections but does not respond";
            return vec![Finding::problem("service", late).fixed_by(fix)];
        }
    };
    let said = format!("{} answers {}", health.url, health.status);
    let answered = match health.status {
        500.. => Finding::problem("service", said).fixed_by("check its log: it is not healthy"),
        401 | 403 => Finding::sound(
            "service",
            format!("{said}, because no credentials were sent"),
        ),
        404 => Finding::sound("service", format!("{said}: no health check at this path")),
        _ => Finding::sound("service", said),
    };
    let date = health.date.as_deref();
    let skew = date.and_then(|date| preflight::skew(date, Timestamp::now()));
    // One line for the clock suffices if there is no problem.
    let skew = skew.filter(|found| found.is_problem);
    std::iter::once(answered).chain(skew).collect()
}

/// Checks whether a test could run a script.
fn script(path: &Path, url: Option<&str>) -> Finding {
    let mut variables = surroundings().variables;
    let url = url.unwrap_or("http://127.0.0.1:8000");
    variables.push(("PERF_BASE_URL".into(), url.into()));
    let around = Surroundings {
        variables,
        ..Surroundings::none()
    };
    let name = path.display().to_string();
    match load_driver::try_script(&name, &around) {
        Ok(()) => Finding::sound("script", format!("{name} can be run")),
        Err(why) => {
            let why: Vec<&str> = why.split_whitespace().collect();
            let why = why.join(" ");
            let fix = fix_of_script(&name, &why);
            let said = format!("{name} cannot be run: {why}");
            let problem = Finding::problem("script", said);
            match fix {
                Some(fix) => problem.fixed_by(fix),
                None => problem,
            }
        }
    }
}

/// The remedy for a script that cannot be run, by the text of the error; `None` if the text states it itself.
fn fix_of_script(name: &str, why: &str) -> Option<String> {
    if why.contains("check the path") {
        return None;
    }
    Some(if why.contains("no exported functions") {
        "export a function, such as `export default function () {}`".to_owned()
    } else if why.contains("Invalid UTF-8 character") {
        "save the file as UTF-8".to_owned()
    } else if why.contains("SyntaxError") || why.contains(": Line ") {
        "correct the script at the place in the message".to_owned()
    } else {
        format!(
            "correct what the message names, or set the variables that the script reads; \
             `sparring run {name} --iterations 1` shows the same"
        )
    })
}

fn print(findings: &[Finding], problems: usize) {
    for finding in findings {
        let mark = if finding.is_problem { "problem" } else { "ok" };
        say!("{mark:7}  {:11}  {}", finding.about, finding.line());
    }
    match problems {
        0 => say!("no problems"),
        1 => say!("1 problem"),
        several => say!("{several} problems"),
    }
}

fn as_json(findings: &[Finding], problems: usize) -> serde_json::Value {
    let checks = findings.iter().map(|finding| {
        json!({
            "check": finding.about,
            "ok": !finding.is_problem,
            "message": finding.said,
            "fix": finding.fix,
        })
    });
    json!({"problems": problems, "checks": checks.collect::<Vec<_>>()})
}
