//! One test, from its preparation to its record.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use load_engine::Exit;
use report::record::{Event, EventKind, LoadModel, TestContent, TestRecord};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::before::{PrepareError, prepare};
use super::course::Course;
use super::drills::Drilled;
use super::evidence::{Evidence, Facts, Rules};
use super::job::Job;
use super::measure::{Mark, Shared, Store, asked, executed, length_s, unix_now};
use super::reconcile::{Account, CallAccount};
use super::record::Gathered;
use super::resources::{Generator, Monitor, Simulators, Source, is_here};
use super::resume::InterruptedTest;
use super::stage::{Driving, Stage, StageError};
use super::web::Web;
use super::{alerting, course, drills, faults, known, ladder, prometheus, search, stage, visits};
use crate::file::Resources;
use crate::plan::{PlannedBefore, PlannedPhase, PlannedTest};

/// Time limit for a target to become healthy.
const HEALTHY_WITHIN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(200);

/// A completed or partly completed test.
pub struct Conducted {
    pub record: TestRecord,
    /// The measurements, for the artefacts.
    pub store: Shared,
    /// The file from which the record is computed; `None` if it could not be created.
    pub evidence: Option<Vec<u8>>,
    pub drilled: Vec<Drilled>,
    /// The reason why the test ended before its plan.
    pub broken_off: Option<String>,
    /// The exit code of the driver, if it is an error.
    pub failure: Option<Exit>,
    /// Whether further tests can run.
    pub can_go_on: bool,
}

/// The reason why a test could not be executed.
#[derive(Debug, thiserror::Error)]
pub enum ConductError {
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error("{name} is not healthy at {url}")]
    Unhealthy { name: String, url: String },
}

/// The run that a test belongs to.
pub struct Run<'a> {
    /// The measurements of the test before it was interrupted.
    pub kept: Option<InterruptedTest>,
    /// The begin of the run, in seconds since 1970.
    pub began: f64,
    pub folder: &'a Path,
}

/// Carries out a test. Its changes are reverted however it ends.
///
/// # Errors
/// It could not begin; nothing was measured.
pub fn test(job: &Job<'_>, test: &PlannedTest, run: Run<'_>) -> Result<Conducted, ConductError> {
    let stage = Stage::new(job, test, run.folder)?;
    if let Some(web) = &job.settings.web {
        web.begin(test, job.settings.script.is_some());
    }
    wait_until_healthy(job)?;
    let course = Course::new(&stage, run.kept);
    let prepared = course.prepared(job, test);
    let undo = prepare(&prepared, job.target.admin(), job.target.name())?;
    note_settings(&stage);
    let account = stage.exchanges.as_ref().zip(job.target.admin());
    let account = account.and_then(|(exchanges, admin)| Account::open(admin, exchanges));
    let calls = call_account(job, &stage);
    let visits_before = job.target.admin().and_then(visits::visits);
    let document = job.target.admin().and_then(|admin| admin.profile().ok());
    let monitor = Monitor::new(source(job));
    let generator = Generator::new(stage.current.clone(), job.target.base_url());
    let simulators = simulators(job);
    let started = unix_now();
    let over = CancellationToken::new();
    let mut driving = course.driven(&stage);
    let mut analysis: IndexMap<String, Value> = IndexMap::new();
    let (drilled, ended) = std::thread::scope(|scope| {
        scope.spawn(|| monitor.run(generator, simulators, &over));
        scope.spawn(|| alerting::watch(&stage, &monitor, &over));
        scope.spawn(|| account.iter().for_each(|account| account.follow(&over)));
        scope.spawn(|| calls.iter().for_each(|calls| calls.follow(&over)));
        scope.spawn(|| {
            let journal = course.take_journal();
            let kept = journal.map_or(Ok(()), |journal| journal.keep(&stage, &monitor, &over));
            if let Err(error) = kept {
                course::warn(&stage, &error);
            }
        });
        // Cancelled also if the test panics: the scope waits for the monitor.
        let _over = over.clone().drop_guard();
        let drilled = drive(&stage, &course, &mut driving, &mut analysis);
        (drilled, unix_now())
    });
    let truth = truth(job, test, rate(&stage));
    let visits_after = job.target.admin().and_then(visits::visits);
    let visits = visits_before.zip(visits_after);
    let closed = account.and_then(|account| account.close(&job.hurry));
    let calls = calls.map(|calls| calls.close(&job.hurry));
    let not_reverted = undo.undo().err().map(|error| {
        let text = format!("the system's settings could not be reverted: {error}");
        job.tell.warn(&text);
        stage.note(EventKind::Warning, text.clone(), Value::Null);
        text
    });
    let broken_off = broken_off(job, &driving).or(not_reverted);
    let failure = driving.failure;
    let events = with_phases(&stage, &stage.store.lock(), &driving.phases);
    let facts = Facts {
        gathered: Gathered {
            driving,
            events,
            watched: monitor.watched(),
            source: source(job).name().to_owned(),
            run_began: run.began,
            started,
            ended,
            broken_off: broken_off.clone(),
        },
        earlier: course.earlier(job),
        found: analysis,
        drilled: drilled.clone(),
        account: closed,
        calls,
        slo: document.as_ref().map(known::slo),
        visits: visits.and_then(|(before, after)| visits::between(&before, &after)),
        truth,
        ..facts(job, test)
    };
    let (evidence, bytes) = kept(job, &stage, facts);
    let record = evidence.record();
    // Threads that are still measuring are not waited for, because the measurements are final.
    *stage.store.lock() = evidence.store;
    Ok(Conducted {
        broken_off,
        drilled,
        record,
        store: stage.store.clone(),
        evidence: bytes,
        failure,
        can_go_on: job.target.broken().is_none(),
    })
}

/// The facts about a test before it begins.
fn facts(job: &Job<'_>, test: &PlannedTest) -> Facts {
    Facts {
        test: test.clone(),
        own_script: job.settings.script.is_some(),
        rules: Rules::of(job.file),
        gathered: Gathered::default(),
        asked: Vec::new(),
        earlier: None,
        prometheus: None,
        found: IndexMap::new(),
        drilled: Vec::new(),
        interrupted: job.stop.is_cancelled(),
        account: None,
        calls: None,
        slo: None,
        visits: None,
        previous: known::previous(job, test),
        truth: None,
    }
}

/// The evidence of a test, read back from its file so that judging it again gives the same result, together with
/// the file.
fn kept(job: &Job<'_>, stage: &Stage<'_>, mut facts: Facts) -> (Evidence, Option<Vec<u8>>) {
    let store = stage.store.lock();
    let length = facts.gathered.ended - store.began().unwrap_or(facts.gathered.started);
    facts.asked = asked(&store, length.max(store.last_s()));
    let began = store.began().filter(|_| !facts.interrupted);
    let measured = prometheus::url(job).map(|_| facts.measured(&store));
    drop(store);
    facts.prometheus = began
        .zip(measured)
        .and_then(|(began, measured)| prometheus::ask(job, began, &measured));
    let mut store = stage.store.lock();
    let bytes = Evidence::write(&facts, &store).map_err(|error| error.to_string());
    let read = bytes.and_then(|bytes| Ok((Evidence::read(&bytes)?, Some(bytes))));
    read.unwrap_or_else(|why| {
        let text = format!("the evidence cannot be written, so the run cannot be verified: {why}");
        job.tell.warn(&text);
        let store = std::mem::take(&mut *store);
        (Evidence { facts, store }, None)
    })
}

/// Drives a test according to its content. Results beside its figures go into the analysis.
fn drive(
    stage: &Stage<'_>,
    course: &Course,
    driving: &mut Driving,
    analysis: &mut IndexMap<String, Value>,
) -> Vec<Drilled> {
    match (stage.test.content, &stage.test.search) {
        (TestContent::Ladder, _) => ladder::climb(stage, driving),
        (TestContent::Drills, _) => return drills::carry_out(stage, driving),
        (_, Some(planned)) => {
            let found = search::find(stage, planned, driving);
            analysis.insert("search".to_owned(), found);
        }
        _ => analysis.extend(drive_phases(stage, course, driving)),
    }
    Vec::new()
}

/// Drives the phases of a test and injects its faults meanwhile; returns the observations of the faults'
/// probes.
fn drive_phases(
    stage: &Stage<'_>,
    course: &Course,
    driving: &mut Driving,
) -> Option<(String, Value)> {
    let leg = course.leg.as_ref()?;
    let injected = Mutex::new(None);
    stage.drive(leg, driving, &|aside| {
        let admin = stage.job.target.admin();
        let admin = admin.filter(|_| !stage.test.faults.is_empty());
        let done = admin.map(|admin| faults::inject(stage, admin, aside));
        *injected.lock().unwrap_or_else(PoisonError::into_inner) = done;
    });
    let injected = injected
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)?;
    driving.invalid_because.extend(left_out(&injected.left_out));
    driving.invalid_because.extend(injected.failed);
    Some(("fault_probes".to_owned(), injected.seen))
}

/// The reason why requested faults are not judged.
fn left_out(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| {
        format!(
            "the load ended before these faults did: {}",
            names.join(", ")
        )
    })
}

/// The account of the detectors behind the orchestrator.
fn call_account(job: &Job<'_>, stage: &Stage<'_>) -> Option<CallAccount> {
    let exchanges = stage.exchanges.as_ref()?;
    let drilled = job
        .target
        .drilled()
        .filter(|_| job.target.admin().is_none())?;
    CallAccount::open(drilled, exchanges)
}

fn source(job: &Job<'_>) -> Source {
    match (&job.settings.resources, job.target.admin()) {
        (Some(Resources::Pid(pid)), _) => Source::Process(*pid),
        (Some(Resources::Cgroup(name)), _) => Source::Cgroup(name.clone()),
        (Some(Resources::Host), _) => Source::Host,
        (None, None) if is_here(job.target.base_url()) => Source::Host,
        // This machine's figures would be the generator's.
        (None, None) => Source::Elsewhere,
        (None, Some(admin)) => Source::Simulated(admin.clone()),
    }
}

/// The servers that simulate the target, or its detectors.
fn simulators(job: &Job<'_>) -> Simulators {
    let detectors = job.target.drilled().map(|drilled| drilled.detectors.iter());
    Simulators::new(job.target.admin(), detectors.into_iter().flatten())
}

/// Only a simulated target has a health check here; others were reached before the run.
fn wait_until_healthy(job: &Job<'_>) -> Result<(), ConductError> {
    let Some(admin) = job.target.admin() else {
        return Ok(());
    };
    let begun = Instant::now();
    while let Err(error) = admin.state() {
        if begun.elapsed() > HEALTHY_WITHIN
            || job.stop.is_cancelled()
            || job.target.broken().is_some()
        {
            return Err(ConductError::Unhealthy {
                name: job.target.name().to_owned(),
                url: error.to_string(),
            });
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn note_settings(stage: &Stage<'_>) {
    let before = &stage.test.before;
    let asked = json!(before);
    if before.reset
        || before.ageing.is_some()
        || !before.set.is_empty()
        || !before.toggle.is_empty()
        || !before.populate.is_empty()
    {
        stage.note(
            EventKind::Setting,
            format!("the system was prepared: {}", prepared(before)),
            asked,
        );
    }
}

/// The settings of a system before a test, in words.
fn prepared(before: &PlannedBefore) -> String {
    let mut parts = Vec::new();
    if before.reset {
        parts.push("it was reset".to_owned());
    }
    for (host, limits) in &before.set {
        let limits = limits.iter();
        let limits: Vec<String> = limits.map(|(name, to)| format!("{name} = {to}")).collect();
        parts.push(format!("limits of {host}: {}", limits.join(", ")));
    }
    for (name, is_on) in &before.toggle {
        parts.push(format!("{name} is {}", if *is_on { "on" } else { "off" }));
    }
    for (store, rows) in &before.populate {
        parts.push(format!("{rows} rows in {store}"));
    }
    if let Some(factor) = before.ageing {
        parts.push(format!("leaks and expiries run {factor} times as fast"));
    }
    parts.join("; ")
}

/// Requests per second of the whole test's executed time; `None` without requests.
fn rate(stage: &Stage<'_>) -> Option<f64> {
    let store = stage.store.lock();
    let seconds = length_s(&executed(&store, store.last_s()));
    let requests = store.requests() as f64;
    (requests > 0.0 && seconds > 0.0).then(|| requests / seconds)
}

/// The truth of the system under the settings of the test, at its highest level. For several classes, whose users send
/// more requests than a user of the first class would, at their measured rate.
fn truth(job: &Job<'_>, test: &PlannedTest, rate_per_s: Option<f64>) -> Option<Value> {
    let highest = test
        .phases
        .iter()
        .map(PlannedPhase::level)
        .fold(0.0, f64::max);
    let think_ms = test
        .classes
        .first()
        .map_or(0.0, |class| 500.0 * (class.wait_s[0] + class.wait_s[1]));
    let several =
        rate_per_s.filter(|_| test.classes.len() > 1 && test.content == TestContent::Phases);
    let load = match test.model {
        _ if several.is_some() => format!("rate_per_s={}", several.unwrap_or_default()),
        LoadModel::Closed if highest >= 1.0 => format!("users={highest:.0}&think_ms={think_ms}"),
        LoadModel::Open if highest > 0.0 => format!("rate_per_s={highest}"),
        _ => String::new(),
    };
    stage::truth(job, test, &load)
}

/// The reason why the test ended before its plan.
fn broken_off(job: &Job<'_>, driving: &Driving) -> Option<String> {
    if let Some(why) = job.interrupted() {
        return Some(why.to_owned());
    }
    if let Some(why) = job.target.broken() {
        return Some(format!("the target ended: {why}"));
    }
    if let Some(why) = job.settings.web.as_ref().and_then(Web::departed) {
        return Some(why);
    }
    driving.failed.clone()
}

/// The phases as events, with the recorded events.
fn with_phases(stage: &Stage<'_>, store: &Store, planned: &[PlannedPhase]) -> Vec<Event> {
    let began = store.began().unwrap_or_default();
    let mut events = stage.events();
    // A search has no plan: its steps are recorded as they begin.
    let planned: &[PlannedPhase] = match stage.test.phases.as_slice() {
        [] => &[],
        _ => planned,
    };
    let phases = store.marks().iter().zip(planned);
    let reached = store.last_s();
    let before_s = store.before_s();
    // A phase that an early end or the interruption prevented did not take place.
    let took_place = |mark: &Mark| {
        mark.begin_s < mark.end_s
            && (before_s == 0.0 || mark.begin_s < before_s || mark.end_s > before_s)
    };
    events.extend(
        phases
            .filter(|(mark, _)| mark.begin_s <= reached && took_place(mark))
            .map(|(mark, phase)| Event {
                at_s: began + mark.begin_s,
                kind: EventKind::Phase,
                text: format!("{} begins", phase.name),
                detail: json!({ "level": phase.level() }),
            }),
    );
    events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    events
}
