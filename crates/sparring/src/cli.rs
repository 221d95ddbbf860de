//! The command line, as clap reads it.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use fleet::{Fleet, LoadError};
use load_driver as driver;
use load_engine::Exit;
use service_runtime::logging;
use tokio::runtime::Runtime;
use tracing::level_filters::LevelFilter;

use crate::commands::{self, CommandResult};
use crate::environment::unknown::{self, Use};
use crate::process::surroundings;
use crate::stdout;
use crate::terminal::{self, say};
use crate::{environment, exchanged, k6_words};

/// A bench for services that fan out to flaky dependencies.
///
/// Mock detectors that misbehave as configured, an orchestrator as the system under test, a load
/// driver for unmodified k6 scripts, and suites that turn a run into a verdict.
#[derive(Debug, Parser)]
#[command(name = "sparring", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the process' arguments. An empty variable counts as not set, since `HEALTH_URL=` is a usual way to
    /// switch one off.
    pub fn read() -> Result<Self, clap::Error> {
        let mut command = sparring();
        let matches = command.try_get_matches_from_mut(std::env::args_os());
        let matches = matches.map_err(|said| {
            let named = std::env::args_os().nth(1).unwrap_or_default();
            match command.find_subcommand(named) {
                Some(named) => exchanged::hinted(said, named),
                None => said,
            }
        })?;
        Self::from_arg_matches(&matches)
    }
}

/// The command line as it is read: as declared, except that empty variables count as not set, and that booleans of
/// `run` are Go's.
fn sparring() -> clap::Command {
    without_empty_variables(Cli::command()).mut_subcommand("run", k6_words::with_go_booleans)
}

/// The process' arguments after a command, with clap's source of each value.
pub fn arguments_of(command: &str) -> Option<clap::ArgMatches> {
    let matches = sparring().try_get_matches().ok()?;
    matches.subcommand_matches(command).cloned()
}

/// Arguments of k6 are read as k6 reads them.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty =
        |name: &OsStr| !name.to_string_lossy().starts_with("K6_") && environment::is_empty(name);
    command
        .mut_args(|argument| match argument.get_env() {
            Some(name) if is_empty(name) => argument.env(clap::builder::Resettable::Reset),
            _ => argument,
        })
        .mut_subcommands(without_empty_variables)
}

const EXAMPLES: &str = "\
Examples:
  sparring test smoke                    start everything, run the smoke suite, give a verdict
  sparring up                            run the whole stack until Ctrl-C
  sparring fault mock-detector-failing --failure-rate 0.9
                                         make a running mock detector fail nine times in ten
  sparring run script.js --vus 50 --duration 30s
                                         run a k6 script
  sparring check detectors.yaml          all errors of a fleet file at once

Called by the name `k6`, the binary is the k6 command line.";

const RUN_EXAMPLES: &str = "\
Examples:
  sparring run script.js --vus 50 --duration 30s
  sparring run tests/k6/orchestration_load.js -e PERF_BASE_URL=http://127.0.0.1:9000
  sparring run script.js --agents 10.0.0.7,10.0.0.8
  sparring run script.js --out csv=samples.csv --summary-export summary.json
  sparring run --quiet --log-output none script.js";

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "one is made in a process")]
pub enum Command {
    /// Run a suite and give a verdict
    Test(commands::test::Arguments),
    /// Run the whole stack, orchestrator and mock detectors, until Ctrl-C
    Up(commands::up::Arguments),
    /// Serve mock detectors alone
    Mock(commands::mock::Arguments),
    /// Serve the orchestrator alone
    Orchestrator(commands::orchestrator::Arguments),
    /// Change how a running mock detector behaves
    Fault(commands::fault::Arguments),
    /// Print the future behaviour of the mock detectors
    Plan(commands::plan::Arguments),
    /// Print a profile that reproduces what a running mock detector did
    Record(commands::record::Arguments),
    /// Inject faults into the detectors of a running stack and judge its reaction
    Drill(commands::drill::Arguments),
    Config(Box<commands::config::Arguments>),
    /// Check the health of a service, such as for a container's health check
    Health(commands::health::Arguments),
    /// Check a file and report all errors, each with its path and a hint: a fleet's, a suite's, a drill's or a system's
    Check(commands::check::Arguments),
    Analyze(commands::analyze::Arguments),
    Changepoints(commands::changepoints::Arguments),
    Report(commands::report::Arguments),
    Compare(commands::compare::Arguments),
    Baseline(commands::baseline::Arguments),
    Verify(commands::verify::Arguments),
    Merge(commands::merge::Arguments),
    Collect(commands::collect::Arguments),
    Agent(commands::agent::Arguments),
    Explain(commands::explain::Arguments),
    Init(commands::init::Arguments),
    Doctor(commands::doctor::Arguments),
    Completions(commands::completions::Arguments),
    #[command(hide = true)]
    Manual(commands::manual::Arguments),
    /// Simulate whole systems, and print the truth that a correct analysis finds
    Target(Box<commands::target::Arguments>),
    /// Run a k6 script
    #[command(args_override_self = true, after_help = RUN_EXAMPLES)]
    Run(Box<commands::run::Arguments>),
}

impl Command {
    pub fn execute(&self) -> CommandResult {
        unknown::check(self.use_of_variables())?;
        match self {
            Self::Test(arguments) => commands::test::execute(arguments),
            Self::Up(arguments) => commands::up::execute(arguments),
            Self::Mock(arguments) => commands::mock::execute(arguments),
            Self::Orchestrator(arguments) => commands::orchestrator::execute(arguments),
            Self::Fault(arguments) => commands::fault::execute(arguments),
            Self::Plan(arguments) => commands::plan::execute(arguments),
            Self::Record(arguments) => commands::record::execute(arguments),
            Self::Drill(arguments) => commands::drill::execute(arguments),
            Self::Config(arguments) => commands::config::execute(arguments),
            Self::Health(arguments) => commands::health::execute(arguments),
            Self::Check(arguments) => commands::check::execute(arguments),
            Self::Analyze(arguments) => commands::analyze::execute(arguments),
            Self::Changepoints(arguments) => commands::changepoints::execute(arguments),
            Self::Report(arguments) => commands::report::execute(arguments),
            Self::Compare(arguments) => commands::compare::execute(arguments),
            Self::Baseline(arguments) => commands::baseline::execute(arguments),
            Self::Verify(arguments) => commands::verify::execute(arguments),
            Self::Merge(arguments) => commands::merge::execute(arguments),
            Self::Collect(arguments) => commands::collect::execute(arguments),
            Self::Agent(arguments) => commands::agent::execute(arguments),
            Self::Explain(arguments) => commands::explain::execute(arguments),
            Self::Init(arguments) => commands::init::execute(arguments),
            Self::Doctor(arguments) => commands::doctor::execute(arguments),
            Self::Completions(arguments) => commands::completions::execute(arguments),
            Self::Manual(arguments) => commands::manual::execute(arguments),
            Self::Target(arguments) => commands::target::execute(arguments),
            Self::Run(arguments) => commands::run::execute(arguments),
        }
    }

    /// What a misspelt variable means. The driver of a drill is quiet, and the drill has reported them.
    fn use_of_variables(&self) -> Use {
        match self {
            Self::Test(_) | Self::Drill(_) => Use::Target,
            Self::Config(_) | Self::Plan(_) => Use::Settings,
            Self::Run(arguments) if arguments.run.process.quiet => Use::Nothing,
            Self::Run(_) => Use::Script,
            Self::Doctor(_) => Use::Nothing,
            _ => Use::OfAll,
        }
    }

    /// Whether the command does work that matters even if its output is not read.
    pub fn is_long_running(&self) -> bool {
        match self {
            Self::Test(_)
            | Self::Up(_)
            | Self::Mock(_)
            | Self::Orchestrator(_)
            | Self::Drill(_)
            | Self::Collect(_)
            | Self::Agent(_)
            | Self::Run(_) => true,
            Self::Fault(_)
            | Self::Plan(_)
            | Self::Record(_)
            | Self::Config(_)
            | Self::Health(_)
            | Self::Check(_)
            | Self::Analyze(_)
            | Self::Changepoints(_)
            | Self::Report(_)
            | Self::Compare(_)
            | Self::Baseline(_)
            | Self::Verify(_)
            | Self::Merge(_)
            | Self::Explain(_)
            | Self::Init(_)
            | Self::Doctor(_)
            | Self::Completions(_)
            | Self::Manual(_) => false,
            Self::Target(arguments) => arguments.is_long_running(),
        }
    }
}

/// Whether the binary was called by the name `k6`.
pub fn is_called_k6() -> bool {
    let name = std::env::args_os().next().unwrap_or_default();
    std::path::Path::new(&name)
        .file_stem()
        .is_some_and(|stem| stem == "k6")
}

/// The k6 command line, for the binary called by that name.
#[derive(Debug, Parser)]
#[command(name = "k6", version = K6_VERSION, about, arg_required_else_help = true, args_override_self = true)]
pub struct K6 {
    #[command(subcommand)]
    pub command: K6Command,
}

/// The text of `--version`: the version of k6 that is reproduced.
const K6_VERSION: &str = concat!(
    "v",
    load_engine::k6_version!(),
    " (sparring ",
    env!("CARGO_PKG_VERSION"),
    ")"
);

#[derive(Debug, Subcommand)]
pub enum K6Command {
    /// Run a script
    Run(Box<driver::Args>),
    /// Write an archive of a script, all files that it reads, and its options
    Archive(Box<driver::ArchiveArgs>),
    /// Print the options of a script as JSON
    Inspect(Box<driver::InspectArgs>),
    /// Print what a script depends on, without running it
    Deps(Box<driver::DepsArgs>),
    /// Write a script to start from
    New(Box<driver::NewArgs>),
    #[command(flatten)]
    Remote(driver::Remote),
    /// List the features that --features turns on
    Features(driver::FeaturesArgs),
    /// Print a completion script for a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Show the version
    Version {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

impl K6Command {
    pub fn execute(&self) -> CommandResult {
        let exit = match self {
            Self::Run(arguments) => return Ok(commands::run::drive(arguments)),
            Self::Archive(arguments) => driver::archive(arguments, &surroundings()),
            Self::Inspect(arguments) => driver::inspect(arguments, &surroundings()),
            Self::Deps(arguments) => driver::deps(arguments, &surroundings()),
            Self::New(arguments) => driver::new_script(arguments, &surroundings()),
            Self::Remote(remote) => remote.execute(&surroundings()),
            Self::Features(arguments) => {
                driver::list_features(arguments, &surroundings());
                Exit::Success
            }
            Self::Completion { shell } => {
                print_completion(*shell);
                Exit::Success
            }
            Self::Version { json } => {
                print_version(*json);
                Exit::Success
            }
        };
        Ok(ExitCode::from(exit.code()))
    }

    /// Whether the command does work that matters even if its output is not read.
    pub fn is_long_running(&self) -> bool {
        matches!(self, Self::Run(_))
    }
}

impl K6 {
    /// Reads the process' arguments; as in k6 a wrong one is exit code 255.
    pub fn read() -> Result<Self, ExitCode> {
        if std::env::args_os().len() < 2 {
            stdout::print(&Self::command().render_help().to_string());
            return Err(terminal::printed(ExitCode::SUCCESS));
        }
        let words = std::env::args_os().collect();
        let words = k6_words::read(words, &Self::command(), environment::text).map_err(refuse)?;
        let command = k6_words::without_read_variables(Self::command());
        let matches = command.try_get_matches_from(words);
        let read = matches.and_then(|matches| Self::from_arg_matches(&matches));
        read.map_err(|error| match terminal::usage(&error) {
            _ if error.use_stderr() => ExitCode::from(u8::MAX),
            code => code,
        })
    }
}

/// Logs why a command line cannot be used.
fn refuse(refused: k6_words::Refused) -> ExitCode {
    driver::log_refusal(&refused.message, &surroundings());
    ExitCode::from(refused.code)
}

fn print_completion(shell: clap_complete::Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut K6::command(), "k6", &mut script);
    stdout::print(&String::from_utf8_lossy(&script));
}

fn print_version(as_json: bool) {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    if as_json {
        let version = serde_json::json!({
            "commit": concat!("sparring/", env!("CARGO_PKG_VERSION")),
            "go_arch": if arch == "x86_64" { "amd64" } else { arch },
            "go_os": os,
            "go_version": "none",
            "version": format!("v{}", driver::K6_VERSION),
        });
        say!("{version}");
    } else {
        say!("k6 {K6_VERSION}");
    }
}

/// The fleet file; shared by all commands that need it.
#[derive(Debug, Clone, Args)]
pub struct FleetArguments {
    /// The fleet file [default: detectors.yaml if it exists, otherwise the built-in fleet]
    #[arg(long, short = 'c', value_name = "FILE", env = "SPARRING_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    log: LogArguments,
}

/// The logging flags of all commands that log.
#[derive(Debug, Clone, Args)]
struct LogArguments {
    /// Log more: -v actions, -vv also details; LOG_LEVEL can raise the level further
    #[arg(long, short = 'v', action = clap::ArgAction::Count)]
    verbose: u8,
    /// Log lines as JSON
    #[arg(long)]
    log_json: bool,
}

impl FleetArguments {
    /// The fleet with its overrides.
    pub fn load(&self) -> Result<Fleet, LoadError> {
        self.load_with(&[])
    }

    /// The fleet with the environment's overrides and these.
    pub fn load_with(&self, overrides: &[(String, serde_json::Value)]) -> Result<Fleet, LoadError> {
        load_fleet(self.config(), overrides)
    }

    /// The named file.
    pub fn config(&self) -> Option<&std::path::Path> {
        self.config.as_deref()
    }

    /// Whether `-v` increases the log level.
    pub fn is_verbose(&self) -> bool {
        self.log.verbose > 0
    }

    /// Logs to stderr at the level of `-v` or of LOG_LEVEL, whichever logs more, or else at `level`.
    pub fn init_logging(&self, level: &str) {
        let asked = match self.log.verbose {
            0 => None,
            1 => Some(LevelFilter::INFO),
            _ => Some(LevelFilter::DEBUG),
        };
        let variable = environment::log_level();
        let of_variable = variable
            .as_deref()
            .and_then(|text| text.parse::<LevelFilter>().ok());
        let chosen = match asked {
            Some(asked) if of_variable.is_none_or(|level| level < asked) => Some(asked.to_string()),
            _ => variable,
        };
        self.log.init(chosen.as_deref(), level);
    }

    /// Logs only errors, regardless of LOG_LEVEL, since other lines would be written over the screen.
    pub fn init_logging_beside_a_screen(&self) {
        self.log.init(None, "error");
    }

    /// A runtime with the number of threads in the fleet's settings.
    pub fn runtime(&self, fleet: &Fleet) -> std::io::Result<Runtime> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if fleet.service.workers > 0 {
            builder.worker_threads(fleet.service.workers);
        }
        builder.enable_all().build()
    }
}

impl LogArguments {
    fn init(&self, chosen: Option<&str>, level: &str) {
        let format = if self.log_json {
            logging::Format::Json
        } else {
            logging::Format::Text
        };
        let filter = logging::filter(chosen, level);
        logging::init(format, filter, terminal::stderr_takes_colour());
    }
}

/// Reads a fleet, and logs which one it is.
pub fn load_fleet(
    path: Option<&std::path::Path>,
    overrides: &[(String, serde_json::Value)],
) -> Result<Fleet, LoadError> {
    let fleet = fleet::load(path, overrides)?;
    let detectors = fleet.detectors.len();
    match &fleet.path {
        Some(path) => tracing::info!(path = %path.display(), detectors, "the fleet file was read"),
        None => tracing::info!(
            detectors,
            "this folder has no detectors.yaml: this is the built-in fleet"
        ),
    }
    Ok(fleet)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arguments of an example line, without the text before `sparring`, a redirection, and the
    /// description after two spaces.
    fn words(line: &str) -> Option<Vec<&str>> {
        let line = line.trim();
        let is_command = line.starts_with("sparring ") || line.contains("| sparring ");
        let begin = line.find("sparring ").filter(|_| is_command)?;
        let command = line[begin..].split("  ").next()?;
        let command = command.split(['>', '|', ';']).next()?;
        Some(command.split_whitespace().collect())
    }

    fn examples_of(command: &clap::Command, path: &str, parsed: &mut usize) {
        let shown = command.get_after_help().map(ToString::to_string);
        for line in shown.iter().flat_map(|text| text.lines()) {
            let Some(words) = words(line) else { continue };
            *parsed += 1;
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{path}: {line}: {error}");
            }
        }
        for inner in command.get_subcommands() {
            examples_of(inner, &format!("{path} {}", inner.get_name()), parsed);
        }
    }

    #[test]
    fn every_command_has_examples_and_each_of_them_parses() {
        let command = Cli::command();
        let without = |command: &&clap::Command| {
            let help = command.get_after_help().map(ToString::to_string);
            !help.is_some_and(|help| help.contains("Examples:\n"))
        };
        let without: Vec<&str> = command
            .get_subcommands()
            .filter(without)
            .map(clap::Command::get_name)
            .collect();
        assert!(without.is_empty(), "no examples: {without:?}");
        let mut parsed = 0;
        examples_of(&command, "sparring", &mut parsed);
        assert!(parsed > 60, "{parsed}");
    }

    #[test]
    fn test_lists_its_exit_codes() {
        let command = Cli::command();
        let test = command.find_subcommand("test").expect("there is one");
        let help = test
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        for code in [0, 1, 2, 3, 4, 5, 99, 104, 105, 107] {
            assert!(help.contains(&format!("{code:>5}  ")), "{code}: {help}");
        }
    }

    #[test]
    fn of_a_flag_given_twice_the_last_one_counts() {
        let words = "k6 run --quiet --quiet=false --vus 1 --vus 2 -e A=1 -e B=2 x.js";
        let read = K6::try_parse_from(words.split(' ')).expect("k6 takes it");
        let K6Command::Run(arguments) = read.command else {
            panic!("it is run");
        };
        assert_eq!(arguments.load.vus, Some(2));
        assert!(!arguments.process.quiet);
        assert_eq!(arguments.script_flags.environment.len(), 2);
    }
}
