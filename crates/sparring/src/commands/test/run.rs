//! Runs a plan: the target, the signals, the verdict and the files.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use fleet::Fleet;
use jiff::Timestamp;
use report::record::{Outcome, RunRecord, TestRecord};
use suite::drill::Ending;
use suite::file::{Resources, SuiteFile};
use suite::grafana::Grafana;
use suite::plan::Plan;
use suite::preflight::{self, Load};
use suite::request::Resolved;
use suite::run::{Files, Job, Ran, Resumption, Settings, Target as _, Web, is_loopback};
use suite::{Measured, Report, Verdict};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::hushed::Warnings;
use super::on_path::on_path;
use super::profiled;
use super::targets::{self, Started};
use super::tell::Voice;
use crate::baselines::Baselines;
use crate::commands::CommandResult;
use crate::process::surroundings;
use crate::terminal::{self, complain, say};
use crate::{environment, signals, stdout};

/// Options of a run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub struct RunArguments {
    /// The service to test instead of starting one [default: `base_url` of the suite file]
    #[arg(
        long,
        visible_alias = "host",
        short_alias = 'H',
        value_name = "URL",
        env = "PERF_BASE_URL",
        hide_env_values = true
    )]
    base_url: Option<String>,
    /// Run another k6 script instead of the suite's, with its own options
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Folder in which each run gets a folder
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    pub results: PathBuf,
    /// Seed for scripts, and for a simulated system that is started [default: the one in its file]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Measure the resources of this local process as those of the target
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Measure the resources of this control group (version 2) as those of the target: its folder, or its name
    /// below /sys/fs/cgroup
    #[arg(long, value_name = "GROUP", conflicts_with = "pid")]
    cgroup: Option<PathBuf>,
    /// Query this Prometheus after each test; its values are shown next to the run's own
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// Also send all samples to a service, repeatable: prometheus=URL, experimental-prometheus-rw=URL, influxdb=URL,
    /// statsd, datadog or opentelemetry. They are tagged with suite, test and testid; lost samples are reported but do not
    /// affect the verdict
    #[arg(long, value_name = "OUTPUT")]
    out: Vec<String>,
    /// Write phases, faults and verdicts to this Grafana as annotations, with the token in GRAFANA_TOKEN; lost
    /// annotations are reported but do not end the run
    #[arg(long, value_name = "URL")]
    grafana: Option<String>,
    /// Also run each test with real Locust, on the same plan; its figures are kept separately
    #[arg(long, conflicts_with = "script")]
    with_locust: bool,
    /// Write a profile of this process' CPU time: folded stacks, for speedscope or flame graphs
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Resume this interrupted run, given by its folder; no other arguments are needed. A long test continues where
    /// it ended; the report states the gap
    #[arg(long, value_name = "RUN", conflicts_with_all = ["script", "seed", "pid", "cgroup"])]
    pub resume: Option<PathBuf>,
    /// Continue with the next test when one could not be carried out
    #[arg(long)]
    keep_going: bool,
    /// Print only the verdict, errors, and warnings about what did not arrive elsewhere; the load driver's warnings are
    /// counted
    #[arg(long, short = 'q')]
    pub quiet: bool,
}

/// The resolved command line.
pub struct Resolution {
    pub plan: Plan,
    pub resolved: Resolved,
    /// The fleet of the orchestrator's suite.
    pub fleet: Option<Fleet>,
}

pub fn execute(all: &super::Arguments, resolution: &Resolution) -> CommandResult {
    let arguments = &all.run;
    let runtime = match &resolution.fleet {
        Some(fleet) => all.fleet.runtime(fleet)?,
        None => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?,
    };
    let files = Files::of(resolution.resolved.folder.as_deref())?;
    let interrupted = arguments.resume.as_deref();
    let read = |folder| Resumption::read(folder, &resolution.plan);
    let resumption = match interrupted.map(read).transpose() {
        Ok(resumption) => resumption,
        Err(error) => return Ok(super::refuse(&error)),
    };
    let watching = resolution.resolved.file.prometheus.as_ref();
    let watching = watching.and_then(|file| file.url.as_deref());
    if let Some(url) = arguments.prometheus.as_deref().or(watching) {
        suite::run::probe_prometheus(url)?;
    }
    let is_served_here = arguments.url_for(&resolution.resolved.file).is_none();
    if arguments.script.is_none()
        && let Err(error) = preflight::prepared(&resolution.plan, is_served_here)
    {
        return Ok(super::refuse(&error));
    }
    let started = arguments.start(&runtime, resolution)?;
    tracing::info!(url = started.url(), "{} is under test", started.name());
    preflight::folder::probe(&arguments.results)?;
    if !arguments.quiet {
        let load = Load {
            users: preflight::most_users(&resolution.plan),
            is_served_here,
            is_loopback: is_loopback(started.base_url()),
        };
        warn_of(load, &arguments.results);
    }
    let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
    {
        let _entered = runtime.enter();
        signals::on_interrupts(Ending {
            asked: stop.clone(),
            hurry: hurry.clone(),
        });
    }
    let voice = Voice::new(arguments.quiet, all.fleet.is_verbose());
    let warnings = Warnings::default();
    let served = all
        .web
        .serve(&resolution.plan, &started, &stop, all.load.wants_page())?;
    let web = served.as_ref().map(|served| served.web.clone());
    let settings = arguments.settings(resolution, &warnings, web)?;
    let job = Job {
        plan: &resolution.plan,
        file: &resolution.resolved.file,
        files: &files,
        target: &started,
        settings: &settings,
        tell: &voice,
        stop,
        hurry,
    };
    let profile = profiled::start(arguments.profile.as_deref())?;
    let ran = suite::run::run(&job, resumption);
    voice.end();
    if let Some(served) = served {
        served.end();
    }
    let profiled = profile.map(|profile| profile.end(arguments.quiet));
    started.stop(&runtime);
    // The driver's streams end with the job: their content is written and counted.
    drop(settings);
    match warnings.count() {
        0 => {}
        1 => complain!("1 warning of the load driver is not shown"),
        count => complain!("{count} warnings of the load driver are not shown"),
    }
    let concluded = conclude(all, ran?);
    profiled.map_or(Ok(()), std::convert::identity)?;
    concluded
}

/// Warns of the limits of this machine that the plan would reach.
fn warn_of(load: Load, results: &Path) {
    let findings = preflight::machine(load, results);
    for finding in findings.iter().filter(|finding| finding.is_problem) {
        complain!("warning: {}: {}", finding.about, finding.line());
    }
}

/// A run that cannot measure its subject.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error(transparent)]
    Load(#[from] suite::plan::Unloaded),
    #[error("--base-url: {0}")]
    Url(String),
    #[error("--pid: this machine has no process {0}")]
    Process(u32),
    #[error("--cgroup: {} is not a control group of version 2", .0.display())]
    Cgroup(PathBuf),
    #[error("--prometheus: {0}")]
    PrometheusUrl(String),
    #[error("--grafana: {0}")]
    GrafanaUrl(String),
    #[error("--out: {0}")]
    Output(#[from] load_outputs::OutputError),
    #[error(
        "--out: `{0}` writes a file, which each part of a test would begin anew; use prometheus or opentelemetry here, \
         or `sparring run`"
    )]
    OutputToFile(String),
    #[error("--with-locust: `locust` is not on the PATH; install it with `pip install locust`")]
    NoLocust,
    #[error("--script: the file {} does not exist", .0.display())]
    Script(PathBuf),
}

impl RunArguments {
    /// Whether the plan can be run as these arguments say.
    ///
    /// # Errors
    /// The arguments contradict each other; the message says what to change.
    pub fn check(&self, plan: &Plan) -> Result<(), Unusable> {
        match &self.script {
            // The user's own script has its own load.
            Some(script) if !script.is_file() => return Err(Unusable::Script(script.clone())),
            Some(_) => {}
            None => suite::plan::loaded(plan)?,
        }
        if let Some(url) = self.base_url() {
            fleet::Endpoint::parse(&url).map_err(Unusable::Url)?;
        }
        if let Some(url) = &self.prometheus {
            fleet::Endpoint::parse(url).map_err(Unusable::PrometheusUrl)?;
        }
        if let Some(url) = &self.grafana {
            fleet::Endpoint::parse(url).map_err(Unusable::GrafanaUrl)?;
        }
        for output in &self.out {
            load_outputs::create(output, &environment::texts().collect())?;
            if !load_outputs::is_service(output) {
                return Err(Unusable::OutputToFile(output.clone()));
            }
        }
        if self.with_locust && on_path("locust").is_none() {
            return Err(Unusable::NoLocust);
        }
        match (self.pid, &self.cgroup) {
            (Some(pid), _) if !suite::run::has_process(pid) => Err(Unusable::Process(pid)),
            (_, Some(name)) if !suite::run::has_cgroup(name) => Err(Unusable::Cgroup(name.clone())),
            _ => Ok(()),
        }
    }

    /// The service of the command line or of a variable, including Locust's.
    pub fn base_url(&self) -> Option<String> {
        let of_locust = || environment::text("LOCUST_HOST");
        let url = self.base_url.clone().filter(|url| !url.is_empty());
        url.or_else(of_locust).filter(|url| !url.is_empty())
    }

    /// The service under test: that of [`base_url`](Self::base_url), or else that of the suite file.
    pub fn url_for(&self, file: &SuiteFile) -> Option<String> {
        self.base_url().or_else(|| file.base_url.clone())
    }

    /// The arguments of `sparring test` in this process, including those from variables.
    fn again(&self) -> Vec<String> {
        let words = std::env::args_os().skip(2);
        let mut words: Vec<String> = words
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let names_target = |word: &String| {
            ["--base-url", "--host", "-H"]
                .iter()
                .any(|flag| word.starts_with(flag))
        };
        if let Some(url) = self.base_url()
            && !words.iter().any(names_target)
        {
            words.extend(["--base-url".to_owned(), url]);
        }
        words
    }

    pub const fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// The source of the target's resources, unless the suite file states it.
    fn resources(&self) -> Option<Resources> {
        let of_group = || self.cgroup.clone().map(Resources::Cgroup);
        self.pid.map(Resources::Pid).or_else(of_group)
    }

    /// The current baseline, in the folder of `sparring baseline`. An unreadable one is ignored.
    fn baselines(&self) -> suite::run::Baselines {
        let folder = self.results.join("baselines");
        let find = move |run: &RunRecord| {
            let found = Baselines::new(&folder).for_run(run);
            found.ok().map(|(current, _)| current)
        };
        suite::run::Baselines(Arc::new(find))
    }

    fn start(
        &self,
        runtime: &Runtime,
        resolution: &Resolution,
    ) -> Result<Started, Box<dyn Error + Send + Sync>> {
        let url = self.url_for(&resolution.resolved.file);
        let url = url.as_deref();
        let folder = resolution.resolved.folder.as_deref();
        match (url, &resolution.plan.system, &resolution.fleet) {
            (Some(url), _, _) => targets::given(runtime, url),
            (None, Some(system), _) => targets::simulated(runtime, system, folder, self.seed),
            (None, None, Some(fleet)) => targets::embedded(runtime, fleet),
            (None, None, None) => Err("the suite has no system; use --base-url URL".into()),
        }
    }

    fn settings(
        &self,
        resolution: &Resolution,
        warnings: &Warnings,
        web: Option<Web>,
    ) -> std::io::Result<Settings> {
        let around = surroundings();
        let mut env = Vec::new();
        if let Some(test) = resolution
            .plan
            .tests
            .first()
            .filter(|_| self.script.is_some())
        {
            // The user's own scripts may choose their scenario by these.
            env.push(("K6_SCENARIO".to_owned(), test.name.clone()));
        }
        let stderr = if self.quiet {
            warnings.hush(around.stderr)
        } else {
            around.stderr
        };
        let alone = resolution.plan.tests.len() == 1 && !self.quiet;
        Ok(Settings {
            results: self.results.clone(),
            script: self.script.clone(),
            env,
            variables: around.variables,
            summary_to: alone.then_some(around.stdout),
            stderr,
            driver: vec![
                std::env::current_exe()?.into(),
                "run".into(),
                "--quiet".into(),
            ],
            resources: self
                .resources()
                .or_else(|| resolution.resolved.file.resources.clone()),
            prometheus: self.prometheus.clone(),
            outputs: self.out.clone(),
            grafana: self.grafana.as_deref().map(grafana),
            locust: self.with_locust.then(|| on_path("locust")).flatten(),
            baselines: self.baselines(),
            seed: self.seed,
            arguments: self.again(),
            keep_going: self.keep_going,
            web,
        })
    }
}

/// The Grafana at `url`, with the token of the environment.
pub fn grafana(url: &str) -> Grafana {
    Grafana::new(url, environment::nonempty_text("GRAFANA_TOKEN"))
}

/// Prints the verdict, writes the remaining files, and returns the exit code.
fn conclude(all: &super::Arguments, ran: Ran) -> CommandResult {
    let arguments = &all.run;
    stdout::print(&format!("\n{}", suite::run::verdict_text(&ran.record)));
    let outcome = ran.record.outcome;
    let code = match (outcome, ran.failure) {
        (Outcome::Interrupted, _) | (_, None) => outcome.exit_code(),
        (_, Some(exit)) => exit.code(),
    };
    let report = ran.folder.path.join("report.json");
    if ran.unwritten.is_none() {
        say!("report: {}", report.display());
    }
    if ran.can_be_resumed {
        let folder = ran.folder.path.display();
        say!("to continue: sparring test --resume {folder}");
    }
    let mut unwritten: Option<Box<dyn Error + Send + Sync>> = ran.unwritten.map(Into::into);
    if ran.record.suite == "orchestrator" {
        match write_results(arguments, &ran.record) {
            Ok(path) => say!("results: {}", path.display()),
            Err(error) => unwritten = Some(error.into()),
        }
    }
    if let Err(error) = all.copies.write(&ran.record) {
        unwritten = unwritten.or(Some(error.into()));
    }
    if unwritten.is_some() {
        let saved = ran.folder.files().join(", ");
        complain!("saved in {}: {saved}", ran.folder.path.display());
    }
    match unwritten {
        None => Ok(ExitCode::from(code)),
        // The verdict remains valid, but a run without its record is not a success.
        // An incomplete run is inconclusive; the reason is the record.
        Some(error) if matches!(code, 0 | 4) => Err(error),
        Some(error) => {
            terminal::report(error.as_ref());
            Ok(ExitCode::from(code))
        }
    }
}

/// The result file of the orchestrator's suite, `performance_test_results_TIME.json`.
fn write_results(
    arguments: &RunArguments,
    record: &RunRecord,
) -> Result<PathBuf, suite::WriteError> {
    let now = Timestamp::now();
    let mut report = Report::new(now);
    for (name, tests) in by_name(record) {
        let mut worst = tests[0];
        for test in &tests {
            if test.outcome.worst(worst.outcome) != worst.outcome {
                worst = test;
            }
        }
        let seconds: f64 = tests.iter().map(|test| test.duration_s).sum();
        let took = Duration::from_secs_f64(seconds.max(0.0));
        let locust = tests.iter().find_map(|test| test.locust_result.clone());
        let measured = suite::report::Results {
            k6: worst.k6_summary.clone(),
            locust,
        };
        report.add(name, &verdict(worst), measured, took);
    }
    report.write(&arguments.results, now)
}

/// The parts and cells of each test, in their order.
fn by_name(record: &RunRecord) -> Vec<(&str, Vec<&TestRecord>)> {
    let mut found: Vec<(&str, Vec<&TestRecord>)> = Vec::new();
    for test in &record.tests {
        match found.last_mut() {
            Some((name, tests)) if *name == test.name => tests.push(test),
            _ => found.push((&test.name, vec![test])),
        }
    }
    found
}

/// A test for the result file; it has passed if its record says so.
fn verdict(test: &TestRecord) -> Verdict {
    let without = &test.k6_summary["without_samples"];
    let without: Vec<String> = serde_json::from_value(without.clone()).unwrap_or_default();
    let measured = Measured {
        data: &test.k6_summary,
        without_samples: &without,
    };
    let thresholds = Verdict::new(&measured, Vec::new()).thresholds;
    let invalid_because = match test.outcome {
        Outcome::Passed => Vec::new(),
        _ => test.reasons.clone(),
    };
    Verdict {
        thresholds,
        invalid_because,
    }
}
