//! `sparring test`: tests of a suite, a verdict, a record.

mod config;
mod copies;
mod dry;
mod hushed;
mod locust;
mod locustfile;
mod newest;
mod on_path;
mod profiled;
mod resume;
mod run;
mod stress;
mod targets;
mod tell;
mod thresholds;
mod web;

pub(super) use run::grafana;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fleet::Fleet;
use suite::plan::{LoadOverride, Plan};
use suite::request::{Request, Resolved, resolve};

use super::CommandResult;
use crate::cli::FleetArguments;
use crate::environment;
use crate::terminal::{self, say};

/// The exit code of an invalid command line.
const USAGE: u8 = 2;

/// Runs tests of a suite and gives a verdict.
///
/// A suite is orchestrator (the default), acso, aiaas, acis, agent360 or a file; a test is the
/// name of one of its tests, and `all` stands for the suite's usual ones. The order of words does not matter: `sparring test smoke`,
/// `sparring test acis breakpoint`, `sparring test acso`. A user class replaces those of the
/// test. Without --base-url, PERF_BASE_URL or `base_url` in the suite file, the system under test is started in this process on a free port:
/// the orchestrator with its mock detectors, or the suite's simulated system.
///
/// Each run has a folder, RESULTS/TIME-SUITE: plan.json, report.json, samples.csv, a histogram log for
/// each endpoint, and the reports that the suite asks for, an HTML page among them.
///
/// The exit code is the verdict; all of them are listed at the end of this help.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A suite, its tests and user classes
    #[arg(value_name = "SUITE|TEST|CLASS")]
    words: Vec<String>,
    #[command(flatten)]
    fleet: FleetArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    #[command(flatten)]
    load: locust::LoadArguments,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    copies: copies::CopyArguments,
    #[command(flatten)]
    run: run::RunArguments,
    #[command(flatten)]
    web: web::WebArguments,
}

/// The tests to run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
struct SelectionArguments {
    /// Run the suite of this system; the variable PERF_SYSTEM is used if nothing else names a suite
    #[arg(long, value_name = "SYSTEM")]
    system: Option<String>,
    /// Run this test of the orchestrator; the same as its name without a flag
    #[arg(long, value_name = "TEST")]
    test_type: Option<String>,
    /// Run this test of acso; the same as its name without a flag
    #[arg(long, value_name = "TEST")]
    filter: Option<String>,
    /// Run the short validation of acso; the same as quick-check without a flag
    #[arg(long)]
    quick_check: bool,
    /// Run this test; the same as its name without a flag; may be repeated
    #[arg(long, value_name = "TEST")]
    only: Vec<String>,
    /// Run every test of the suite, not only those of `all`
    #[arg(long)]
    all_tests: bool,
    /// Also run parts that need a prepared machine, such as 50 000 open WebSockets of aiaas throughput
    #[arg(long)]
    full: bool,
    /// Multiply the durations of phases and rests, and divide spawn rates; above 0, at most 1
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    time_scale: Option<f64>,
}

/// Output instead of a run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Without running")]
struct OutputArguments {
    /// Show the plan as a table, with remarks
    #[arg(long)]
    dry: bool,
    /// Print the plan as JSON
    #[arg(long, conflicts_with = "dry")]
    plan_json: bool,
    /// Print the k6 options of each test as a line of JSON, as SPARRING_PLAN passes them to the script
    #[arg(long, conflicts_with_all = ["dry", "plan_json"])]
    k6_options: bool,
    /// Print the newest result of the suite again, in the form of its document, without running anything
    #[arg(long, conflicts_with_all = ["dry", "plan_json", "k6_options"])]
    report_only: bool,
    /// Print the JSON schema of suite files, for editors
    #[arg(long, conflicts_with_all = ["dry", "plan_json", "k6_options", "report_only"])]
    schema: bool,
}

const EXAMPLES: &str = "\
Exit codes:
    0  every requirement holds
    1  a test could not be run, or a record could not be written
    2  a wrong command line or suite file; nothing was run
    3  a regression; only `sparring compare` returns it
    4  inconclusive: too little data to decide, or an incomplete run
    5  untrusted: no data for a threshold, no threshold, dropped samples, a starved generator
   99  a threshold was crossed
  104  k6's: a script or its options cannot be used
  105  interrupted by Ctrl-C or SIGTERM; the measurements so far are kept
  107  k6's: a script threw an exception
  130  a third Ctrl-C ended the program at once: no verdict, and reports may be missing

Examples:
  sparring test smoke                    start everything, run the smoke test, give a verdict
  sparring test acis load                one test of a suite, against its simulated system
  sparring test acso quick-check --dry   what would run, without running it
  sparring test all --time-scale 0.1     the usual tests, in a tenth of their time
  sparring test load --base-url https://staging.example.com -q
                                         a service of your own; only the verdict
  sparring test acis load --web          the same, with a page on http://127.0.0.1:8089
  sparring test tests/suites/own.yaml --results out
  sparring test acis load --with-locust  the same users with real Locust, for comparison
  sparring test --resume results/20260814T093000Z-acis
                                         continue a soak that was interrupted
  sparring test -f tests/locust/acis.py -u 100 -r 10 -t 5m --headless
                                         Locust itself, on the simulated system";

pub fn execute(arguments: &Arguments) -> CommandResult {
    match resume::again(arguments) {
        Ok(Some(again)) => carry_out(&again),
        Ok(None) => carry_out(arguments),
        Err(error) => Ok(refuse(error.as_ref())),
    }
}

/// `sparring plan … --k6-options`: the same as that flag of `sparring test`.
pub(super) fn k6_options(
    names: &[String],
    time_scale: Option<f64>,
    config: Option<&Path>,
) -> CommandResult {
    let mut words = vec!["--k6-options".to_owned()];
    words.extend(time_scale.map(|scale| format!("--time-scale={scale}")));
    words.extend(config.map(|path| format!("--config={}", path.display())));
    // After `--`, a name with a leading hyphen is not read as a flag.
    words.push("--".to_owned());
    words.extend_from_slice(names);
    match resume::parsed(words) {
        Ok(arguments) => carry_out(&arguments),
        Err(error) => Ok(refuse(&error)),
    }
}

fn carry_out(arguments: &Arguments) -> CommandResult {
    arguments.init_logging();
    if arguments.output.schema {
        say!("{}", serde_json::to_string_pretty(&suite::file::schema())?);
        return Ok(terminal::printed(ExitCode::SUCCESS));
    }
    if let Some(file) = &arguments.load.locustfile {
        return locustfile::execute(arguments, file);
    }
    let planned = match plan(arguments)? {
        Ok(planned) => planned,
        Err(refused) => return Ok(refuse(refused.as_ref())),
    };
    let Planned {
        resolved,
        plan,
        fleet,
    } = planned;
    if arguments.output.report_only {
        return newest::show(&arguments.run.results, &resolved);
    }
    if let Err(error) = arguments.run.check(&plan) {
        return Ok(refuse(&error));
    }
    if let Err(error) = arguments.web.check() {
        return Ok(refuse(&error));
    }
    if arguments.output.is_wanted() {
        let url = arguments.run.url_for(&resolved.file);
        return arguments
            .output
            .show(&plan, &resolved.understood, url.as_deref());
    }
    run::execute(
        arguments,
        &run::Resolution {
            plan,
            resolved,
            fleet,
        },
    )
}

/// A resolved command line.
pub(super) struct Planned {
    pub resolved: Resolved,
    pub plan: Plan,
    /// The fleet of the orchestrator's suite.
    pub fleet: Option<Fleet>,
}

/// An unknown name, or an invalid value.
type Refused = Box<dyn std::error::Error + Send + Sync>;

/// Finds the suite and plans the tests, with the targets of the fleet file and the changes of variables.
///
/// # Errors
/// A file cannot be read, or a variable is invalid; the inner error is an invalid command line.
pub(super) fn plan(arguments: &Arguments) -> Result<Result<Planned, Refused>, Refused> {
    let config = config::Config::read(arguments.fleet.config())?;
    let mut resolved = match resolve(&arguments.request(&config)) {
        Ok(resolved) => resolved,
        Err(error) => return Ok(Err(error.into())),
    };
    let fleet = match resolved.file.system {
        Some(_) => None,
        None => Some(config.fleet()?),
    };
    if let Some(fleet) = &fleet {
        let mut names = resolved.selection.tests.iter();
        let asked = names.any(|name| name == "benchmark");
        thresholds::apply(&mut resolved.file, &fleet.performance_targets, asked)?;
        stress::apply(&mut resolved.file, &environment::text)?;
    }
    let planned = suite::plan::plan(&resolved.file, &resolved.selection, &environment::text);
    Ok(planned.map_err(Into::into).map(|plan| Planned {
        resolved,
        plan,
        fleet,
    }))
}

/// A name that is unknown in the suite, or an invalid value.
pub(super) fn refuse(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    terminal::report(error);
    ExitCode::from(USAGE)
}

impl Arguments {
    pub(super) fn init_logging(&self) {
        let level = if self.run.quiet { "error" } else { "warn" };
        self.fleet.init_logging(level);
    }

    fn request(&self, config: &config::Config) -> Request {
        let selection = &self.selection;
        let alias = |word: &String| match word.as_str() {
            // The former name, from before suites had names of their own.
            "throughput" if self.means_orchestrator(config) => "benchmark".to_owned(),
            _ => word.clone(),
        };
        Request {
            words: self.words.iter().map(alias).collect(),
            system: selection.system.clone(),
            otherwise: self.otherwise(),
            config: config.suite().map(PathBuf::from),
            test_type: selection.test_type.as_ref().map(alias),
            filter: selection.filter.clone(),
            quick_check: selection.quick_check,
            only: selection.only.iter().map(alias).collect(),
            all_tests: selection.all_tests,
            full: selection.full,
            load: LoadOverride {
                users: self.load.users,
                spawn_rate: self.load.spawn_rate,
                run_time: self.load.run_time,
            },
            time_scale: selection.time_scale,
        }
    }

    /// Whether a suite is named by a word, a file, a flag, or a test or class that belongs to one.
    pub(super) fn names_suite(&self) -> bool {
        let selection = &self.selection;
        let by_flag = selection.system.is_some()
            || selection.test_type.is_some()
            || selection.filter.is_some()
            || selection.quick_check;
        by_flag || self.words.iter().any(|word| is_suite(word))
    }

    /// Whether tests are named, by words or flags.
    pub(super) fn names_tests(&self) -> bool {
        let selection = &self.selection;
        selection.test_type.is_some()
            || selection.filter.is_some()
            || selection.quick_check
            || selection.all_tests
            || !selection.only.is_empty()
            || !self.words.iter().all(|word| is_suite(word))
    }

    /// The suite of the variable `PERF_SYSTEM`, which is used if nothing else names one.
    pub(super) fn otherwise(&self) -> Option<String> {
        environment::nonempty_text("PERF_SYSTEM")
    }

    pub(super) fn base_url(&self) -> Option<String> {
        self.run.base_url()
    }

    pub(super) fn is_scaled(&self) -> bool {
        self.selection.time_scale.is_some_and(|scale| scale < 1.0)
    }

    /// Whether no other suite is named.
    fn means_orchestrator(&self, config: &config::Config) -> bool {
        let is_other = |word: &String| {
            let known = suite::builtin::BUILT_IN.iter();
            known.skip(1).any(|(name, _)| name == word) || word.contains(['/', '.'])
        };
        let otherwise = self.otherwise();
        let selection = &self.selection;
        config.suite().is_none()
            && selection.filter.is_none()
            && !self
                .words
                .iter()
                .chain(&selection.system)
                .chain(&otherwise)
                .any(is_other)
    }
}

/// Whether a word names a suite or the file of one.
fn is_suite(word: &str) -> bool {
    let mut known = suite::builtin::BUILT_IN.iter();
    known.any(|(name, _)| *name == word) || word.contains(['/', '.'])
}

impl OutputArguments {
    fn is_wanted(&self) -> bool {
        self.dry || self.plan_json || self.k6_options
    }

    fn show(&self, plan: &Plan, understood: &str, url: Option<&str>) -> CommandResult {
        if self.plan_json {
            say!("{}", serde_json::to_string_pretty(plan)?);
        } else if self.k6_options {
            for test in &plan.tests {
                say!("{}", test.options);
            }
        } else {
            dry::print(plan, understood, url);
        }
        Ok(terminal::printed(ExitCode::SUCCESS))
    }
}
