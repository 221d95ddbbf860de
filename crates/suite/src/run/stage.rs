//! A running test: its legs, and the events recorded meanwhile.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use load_driver::{Driven, Interruption, RunHandle};
use load_engine::{Exchanges, Exit};
use report::record::{Event, EventKind, LoadModel, TestContent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::leg::{Drive, Leg};
use super::measure::{Question, Recorder, Shared, unix_now};
use super::progress::Shown;
use super::reconcile::{ID_FIELD, ID_HEADER};
use super::resources::Current;
use super::target::is_loopback;
use super::trends;
use crate::judge;
use crate::plan::{PlannedPhase, PlannedTest, allocate};
use crate::preflight::loopback_addresses;

/// k6's variable for the addresses to connect from.
const LOCAL_IPS: &str = "K6_LOCAL_IPS";

/// A running test.
pub struct Stage<'a> {
    pub job: &'a Job<'a>,
    pub test: &'a PlannedTest,
    pub store: Shared,
    /// The current leg, for observers of the driver.
    pub current: Current,
    /// The outcome of each request, if the target's journal can be compared with it.
    pub exchanges: Option<Arc<Exchanges>>,
    /// The run's folder.
    pub run_folder: &'a Path,
    drive: Drive,
    /// Times are seconds since 1970 until they are converted to the start of the test.
    events: Mutex<Vec<Event>>,
}

/// The reason why a test cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error("the test has no user class")]
    NoClass,
    #[error("the classes of a test have one script; here they have {0}")]
    Scripts(String),
    #[error("no script {}", .0.display())]
    Missing(PathBuf),
}

/// The results of one leg or several.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Driving {
    /// The phases that ran, in the order in which they were passed to the store.
    pub phases: Vec<PlannedPhase>,
    /// k6's summary of the last leg that has one.
    pub summary: Value,
    /// Metrics of that summary without samples.
    pub without_samples: Vec<String>,
    /// Further facts about the trends in that summary.
    pub trends: Value,
    /// The reasons why the figures are doubtful.
    pub invalid_because: Vec<String>,
    /// Iterations that completed, or ended with an exception.
    pub completed_iterations: u64,
    /// The number of these that ended with an exception.
    pub failed_iterations: u64,
    /// Iterations interrupted by the end of a phase, a step or the load; not included in the others (S-20).
    #[serde(default)]
    pub cut_iterations: u64,
    /// The exit code of the driver, if it is an error: a script that throws, options that cannot be used.
    #[serde(skip)]
    pub failure: Option<Exit>,
    /// The message of that error.
    pub failed: Option<String>,
    /// Measured samples that were dropped.
    pub dropped_samples: u64,
    /// The reason why the last leg did not keep its plan of start times, if it did not.
    #[serde(skip)]
    pub late: Option<String>,
}

impl<'a> Stage<'a> {
    /// # Errors
    /// The test has no script, or several.
    pub fn new(
        job: &'a Job<'a>,
        test: &'a PlannedTest,
        run_folder: &'a Path,
    ) -> Result<Self, StageError> {
        let script = match &job.settings.script {
            Some(script) => script.clone(),
            None if test.content == TestContent::Drills => PathBuf::new(),
            None => script_of(job, test)?,
        };
        // k6's totals are not meaningful for several legs or a ladder.
        let has_totals = [TestContent::Phases, TestContent::Samples].contains(&test.content);
        let summary_to = job
            .settings
            .summary_to
            .as_ref()
            .filter(|_| has_totals && test.search.is_none());
        let mut env = vec![("PERF_BASE_URL".to_owned(), job.target.base_url().to_owned())];
        env.extend(job.settings.env.iter().cloned());
        env.push(("SPARRING_TEST".to_owned(), test.name.clone()));
        env.extend(seed(job).map(|seed| ("SPARRING_SEED".to_owned(), seed.to_string())));
        env.extend(test.env.clone());
        Ok(Self {
            job,
            test,
            store: Shared::default(),
            current: Current::default(),
            exchanges: has_journals(job, test)
                .then(|| Arc::new(Exchanges::new(ID_HEADER, ID_FIELD))),
            run_folder,
            drive: Drive {
                script,
                env,
                variables: job.settings.variables.clone(),
                summary_to: summary_to.cloned(),
                stderr: job.settings.stderr.clone(),
                outputs: job.settings.outputs.clone(),
                tags: tags(job, test, run_folder),
                is_open: test.model == LoadModel::Open,
                longest_s: test.longest_s,
                questions: questions(test, job.file.alerts.latency_of.as_ref()),
                local_ips: local_ips(job, test),
                board: job.settings.web.as_ref().map(|web| web.board.clone()),
            },
            events: Mutex::default(),
        })
    }

    /// Records an event with the current time.
    pub fn note(&self, kind: EventKind, text: impl Into<String>, detail: Value) {
        self.note_at(Event {
            at_s: unix_now(),
            kind,
            text: text.into(),
            detail,
        });
    }

    /// Records an event of another time, in seconds since 1970.
    pub fn note_at(&self, event: Event) {
        tracing::info!(test = self.test.label(), "{}", event.text);
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(event);
    }

    /// The recorded events, from the given index on.
    pub fn events_from(&self, place: usize) -> Vec<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.get(place..).unwrap_or_default().to_vec()
    }

    /// The recorded events, in order of time.
    pub fn events(&self) -> Vec<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events = events.clone();
        events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        events
    }

    /// Runs a leg to its end. `beside` runs on its own thread meanwhile; it may cancel the token that it
    /// receives, which ends the leg early without making it a failure. It has to end when `over` is
    /// cancelled.
    pub fn drive(&self, leg: &Leg, driving: &mut Driving, beside: &Beside<'_>) {
        let seen = RunHandle::telling(self.exchanges.clone());
        self.current.show(&seen);
        let runs = self.store.lock().runs();
        let (over, ended_here) = (CancellationToken::new(), CancellationToken::new());
        let stop = self.job.stop.child_token();
        let shown = Shown {
            label: self.test.label(),
            phases: &leg.phases,
            store: self.store.clone(),
            seen: seen.clone(),
        };
        let mut leg = leg.clone();
        if self.test.model == LoadModel::Open {
            allocate(&mut leg.options, |rate_per_s| {
                let truth = truth(self.job, self.test, &format!("rate_per_s={rate_per_s}"))?;
                let response_ms = truth.pointer("/load/response_ms/value")?.as_f64()?;
                Some(response_ms / 1e3)
            });
        }
        let mut drive = self.drive.clone();
        let id = test_id(self.test);
        drive.env.push(("SPARRING_TEST_ID".to_owned(), id));
        let driven = std::thread::scope(|scope| {
            scope.spawn(|| shown.show(self.job.tell, &over));
            if let Some(web) = &self.job.settings.web {
                scope.spawn(|| web.follow(self.test, &seen, &over));
            }
            let aside = Aside {
                seen: &seen,
                over: &over,
                end: &ended_here,
            };
            let forward = stop.clone();
            let (end, finished) = (&ended_here, &over);
            scope.spawn(move || {
                beside(&aside);
                if end.is_cancelled() && !finished.is_cancelled() {
                    forward.cancel();
                }
            });
            let interruption = Interruption::Tokens {
                end: stop.clone(),
                give_up: self.job.hurry.clone(),
            };
            let driven = drive.run(&leg, &self.store, &seen, interruption);
            over.cancel();
            driven
        });
        let (driven, unsent) = without_unsent(driven);
        for reason in unsent {
            self.job
                .tell
                .line(&format!("{}: {reason}", self.test.label()));
        }
        let mut store = self.store.lock();
        if let Some(began_ms) = seen.began_unix_ms().filter(|_| store.runs() == runs) {
            // Nothing was measured; its phases took place nevertheless.
            store.begin(began_ms, leg.marks());
        }
        let stopped = seen.stopped_unix_ms().map(|ms| ms as f64 / 1e3);
        store.end(stopped.unwrap_or_else(unix_now));
        if self.job.hurry.is_cancelled() {
            // Threads that are still measuring are not waited for, because the measurements are final.
            store.close();
        }
        drop(store);
        driving.phases.extend(leg.phases.iter().cloned());
        driving.take(
            driven,
            ended_here.is_cancelled(),
            self.job.stop.is_cancelled(),
        );
    }
}

/// The handles of code that runs beside a leg.
pub struct Aside<'a> {
    pub seen: &'a RunHandle,
    /// The leg has ended.
    pub over: &'a CancellationToken,
    /// Cancelled to end the leg early, by a rule of the test.
    pub end: &'a CancellationToken,
}

/// Code that runs beside a leg.
pub type Beside<'a> = dyn Fn(&Aside<'_>) + Sync + 'a;

/// The driver's messages on a run that was told to end, or to end at once.
const ENDED_EARLY: [&str; 2] = ["the run was ended early", "the run was aborted"];

impl Driving {
    fn take(&mut self, driven: Driven, by_rule: bool, by_signal: bool) {
        let failure = match driven.exit {
            Exit::Success | Exit::ThresholdsCrossed => None,
            Exit::Interrupted if by_rule || by_signal => None,
            other => Some(other),
        };
        self.failure = self.failure.or(failure);
        self.failed = self
            .failure
            .map(|exit| format!("the driver ended with exit code {}: {exit:?}", exit.code()));
        self.dropped_samples += driven.dropped_samples;
        self.late = driven.health.broken_schedule();
        self.completed_iterations += driven.completed_iterations;
        self.failed_iterations += driven.failed_iterations;
        self.cut_iterations += driven.cut_iterations;
        if !driven.summary_data.is_null() {
            self.summary = driven.summary_data;
            self.without_samples = driven.without_samples;
            self.trends = trends::shown(&driven.trends);
        }
        // A leg that was ended by a rule, or a run ended by Ctrl-C, is reported elsewhere.
        let expected = |reason: &String| {
            (by_rule || by_signal) && ENDED_EARLY.iter().any(|end| reason.starts_with(end))
        };
        let reasons = driven
            .invalid_because
            .into_iter()
            .filter(|reason| !expected(reason));
        self.invalid_because.extend(reasons);
    }
}

/// Losses of an output other than the suite's own say nothing about the measurement.
fn without_unsent(mut driven: Driven) -> (Driven, Vec<String>) {
    let is_other = |reason: &String| {
        reason.starts_with("output ") && !reason.starts_with(&format!("output {}", Recorder::NAME))
    };
    let (unsent, invalid_because) = driven.invalid_because.into_iter().partition(is_other);
    driven.invalid_because = invalid_because;
    (driven, unsent)
}

/// The system's own figures under the settings of the test and this load, for the mix of its only class; `None` if it does not
/// report them.
pub fn truth(job: &Job<'_>, test: &PlannedTest, load: &str) -> Option<Value> {
    let mix = match test.classes.as_slice() {
        [class] => class.mix.as_ref(),
        _ => None,
    };
    let mix = mix.map_or_else(String::new, |mix| format!("&mix={mix}"));
    job.target.admin()?.truth(&format!("?{load}{mix}")).ok()
}

/// Whether there is a journal to compare requests with: the target's, or those of its detectors. Drills send their own
/// requests.
fn has_journals(job: &Job<'_>, test: &PlannedTest) -> bool {
    let has_detectors = job
        .target
        .drilled()
        .is_some_and(|it| !it.detectors.is_empty());
    job.target.admin().is_some() || (has_detectors && test.content != TestContent::Drills)
}

/// Addresses for permanent connections, if the ports of one are not enough; addresses set by the user take
/// precedence.
fn local_ips(job: &Job<'_>, test: &PlannedTest) -> Option<String> {
    let is_set = |(name, value): &(OsString, OsString)| name == LOCAL_IPS && !value.is_empty();
    if job.settings.variables.iter().any(is_set) || !is_loopback(job.target.base_url()) {
        return None;
    }
    loopback_addresses(test.sampling_users())
}

/// The tags of samples for outputs other than the suite's own.
fn tags(job: &Job<'_>, test: &PlannedTest, run_folder: &Path) -> Vec<String> {
    if job.settings.outputs.is_empty() {
        return Vec::new();
    }
    let run = run_folder.file_name().unwrap_or_default().to_string_lossy();
    vec![
        format!("suite={}", job.plan.suite),
        format!("test={}", super::course::title(test)),
        format!("testid={run}"),
    ]
}

/// The random seed of the scripts: that of the command line, otherwise the simulated system's.
fn seed(job: &Job<'_>) -> Option<u64> {
    let of_target = || job.target.admin()?.state().ok()?["seed"].as_u64();
    job.settings.seed.or_else(of_target)
}

/// Queries on metrics in addition to the script's thresholds: for checks, the components' service levels, and the trend
/// of the alerts.
fn questions(test: &PlannedTest, watched: Option<&String>) -> Vec<Question> {
    let question = |metric: &str, aggregate: &str, component: Option<&String>| Question {
        metric: metric.to_owned(),
        aggregate: aggregate.to_owned(),
        component: component.cloned(),
    };
    let checks = test.judge.checks.map(|_| question("checks", "rate", None));
    let components = test.judge.slo.iter().filter(|name| *name != "api");
    let of_components = components.flat_map(|component| {
        let metric = judge::metric_of_component(component);
        ["p(50)", "p(95)", "p(99)"].map(|it| question(&metric, it, Some(component)))
    });
    let of_alerts = watched.into_iter().flat_map(|metric| {
        let aggregates = judge::latency_alerts();
        aggregates.map(|aggregate| question(metric, aggregate, None))
    });
    let all = checks.into_iter().chain(of_components);
    all.chain(of_alerts).collect()
}

/// The script shared by all classes.
fn script_of(job: &Job<'_>, test: &PlannedTest) -> Result<PathBuf, StageError> {
    let first = &test.classes.first().ok_or(StageError::NoClass)?.script;
    if test.classes.iter().any(|class| class.script != *first) {
        let names = test
            .classes
            .iter()
            .map(|class| class.script.display().to_string());
        return Err(StageError::Scripts(names.collect::<Vec<_>>().join(", ")));
    }
    let path = job.files.path(first);
    if path.is_file() {
        Ok(path)
    } else {
        Err(StageError::Missing(path))
    }
}

/// The first part of each request's id, unique: a system remembers ids, and rejects one that is reused with
/// another body. The time in milliseconds, and letters, digits and hyphens of the test's label.
fn test_id(test: &PlannedTest) -> String {
    let label = test.label();
    let letters = label.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '-',
    });
    let letters: String = letters.collect();
    format!("{:x}-{letters}", (unix_now() * 1e3) as u64)
}
