//! Runs a plan: prepares targets, drives the load, and stores all measurements in a folder.
//!
//! [`run`] blocks its thread, which must not be one of an asynchronous runtime: the driver brings its own.
//! Changes to a system are reverted however a test ends, and `report.json` is written after each test, so
//! that a run that dies keeps its measurements.

mod admin;
mod alerting;
mod before;
mod conduct;
mod course;
mod drills;
mod evidence;
mod faults;
mod files;
mod finished;
mod folder;
mod job;
mod known;
mod ladder;
mod leg;
mod locust;
mod measure;
mod progress;
mod prometheus;
mod reconcile;
mod record;
mod resources;
mod resume;
mod search;
mod shown;
mod signs;
mod stage;
mod surroundings;
mod target;
mod trends;
mod visits;
mod web;

pub use admin::Admin;
pub use before::{PrepareError, Undo, prepare};
pub use evidence::{EvidenceError, again};
pub use files::Files;
pub use folder::Folder;
pub use job::{Baselines, Job, Settings};
pub use progress::Tell;
pub use prometheus::{ApiError as PrometheusError, probe as probe_prometheus};
pub use resources::{has_cgroup, has_process};
pub use resume::{Command, ResumeError, Resumption};
pub use shown::text as verdict_text;
pub use target::{Target, is_loopback};
pub use web::Web;

use std::collections::HashSet;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use load_engine::Exit;
use load_engine::system_errors::without_numbers;
use report::RunRecord;
use report::annotations::{self, Annotation};
use report::record::{Outcome, PERCENTILE_METHOD, SCHEMA, TestRecord, title};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::plan::{Plan, PlannedTest};
use crate::report::WriteError;
use evidence::RunEvidence;
use finished::Finished;
use measure::unix_now;
use resume::InterruptedTest;

/// The pause between two tests of a run, times the time scale.
const BETWEEN_TESTS: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// The result of a run.
#[derive(Debug)]
pub struct Ran {
    pub record: RunRecord,
    pub folder: Folder,
    /// A file that could not be written; the record is incomplete then.
    pub unwritten: Option<WriteError>,
    /// The driver's exit code, if it is an error, such as 107 for a script that throws.
    pub failure: Option<Exit>,
    /// Whether `--resume` can continue the run.
    pub can_be_resumed: bool,
    /// The evidence from which the record is computed.
    evidence: RunEvidence,
}

/// Runs the tests of a plan in their order, or the remaining ones of an interrupted run.
///
/// # Errors
/// The run's folder cannot be created; nothing was run.
pub fn run(job: &Job<'_>, resume: Option<Resumption>) -> Result<Ran, WriteError> {
    let mut begun = match resume {
        Some(resumption) => Begun::again(job, resumption)?,
        None => Begun::new(job)?,
    };
    let folder = begun.ran.folder.path.display();
    tracing::info!(%folder, tests = job.plan.tests.len(), "the results folder was created");
    // Whatever ends the run, its folder contains the plan.
    begun.ran.keep(job);
    let web = job.settings.web.as_ref();
    // If the run was ended before its start, no test runs.
    let tests: &[PlannedTest] = match web {
        Some(web) if !web.wait_for_start() => &[],
        _ => job.plan.tests.as_slice(),
    };
    let mut before: Option<&PlannedTest> = None;
    for (place, test) in tests.iter().enumerate() {
        let is_last = place + 1 == job.plan.tests.len();
        if begun.has(test) {
            continue;
        }
        if before.is_some_and(|before| !pause(job, before, test)) {
            break;
        }
        before = Some(test);
        let goes_on = one(job, test, &mut begun);
        let ran = &mut begun.ran;
        ran.record.duration_s = unix_now() - begun.began;
        ran.keep(job);
        if is_last {
            drop(ran.settle(job));
        }
        if let Some(web) = web {
            web.board.finished(&ran.record);
        }
        annotate(job, &ran.record, |run| {
            let last = run
                .tests
                .last()
                .filter(|it| it.title() == course::title(test));
            last.map_or_else(Vec::new, |test| annotations::of_test(run, test))
        });
        if !goes_on {
            break;
        }
    }
    let Begun { mut ran, began, .. } = begun;
    ran.record.duration_s = unix_now() - began;
    ran.finish(job);
    if let Some(web) = web {
        web.board.finished(&ran.record);
        web.board.set_stage(live_page::Stage::Ended);
    }
    annotate(job, &ran.record, annotations::of_run);
    let is_stopped = ran.unwritten.is_none() || job.interrupted().is_some();
    ran.can_be_resumed = is_stopped && !ran.record.complete && job.settings.script.is_none();
    Ok(ran)
}

/// Posts the new annotations of a run to Grafana, if configured.
fn annotate(job: &Job<'_>, run: &RunRecord, of: impl Fn(&RunRecord) -> Vec<Annotation>) {
    let posted = job.settings.grafana.as_ref().map(|it| it.post(&of(run)));
    if let Some(Err(error)) = posted {
        job.tell.warn(&error.to_string());
    }
}

/// A run that has begun, with the facts from before its interruption.
struct Begun {
    ran: Ran,
    /// In seconds since 1970; for a resumed run, shifted by the time of the interruption.
    began: f64,
    kept: Option<InterruptedTest>,
}

impl Begun {
    fn new(job: &Job<'_>) -> Result<Self, WriteError> {
        let now = Timestamp::now();
        let folder = Folder::make(&job.settings.results, &job.plan.suite, now)?;
        folder.write_plan(job.plan)?;
        folder.write_command(&Command {
            arguments: job.settings.arguments.clone(),
            began: now,
        })?;
        Ok(Self {
            ran: Ran::new(empty_record(job, &folder, now), folder),
            began: unix_now(),
            kept: None,
        })
    }

    fn again(job: &Job<'_>, resumption: Resumption) -> Result<Self, WriteError> {
        let Finished {
            tests: finished,
            evidence,
            sums,
        } = Finished::of(&resumption);
        let last = finished.last();
        let before_s = last.map_or(0.0, |test| test.begin_s + test.duration_s);
        let kept_s = resumption.kept.as_ref().map_or(0.0, InterruptedTest::at_s);
        let outcomes = finished.iter().map(|test| test.outcome);
        let record = RunRecord {
            outcome: outcomes.fold(Outcome::Passed, Outcome::worst),
            tests: finished,
            evidence: sums,
            ..empty_record(job, &resumption.folder, resumption.began)
        };
        let begun = Self {
            ran: Ran {
                evidence,
                ..Ran::new(record, resumption.folder)
            },
            began: unix_now() - before_s - kept_s,
            kept: resumption.kept,
        };
        for test in job.plan.tests.iter().filter(|test| !begun.has(test)) {
            begun.ran.folder.forget_samples(&course::title(test))?;
        }
        Ok(begun)
    }

    /// Whether the test is complete, in this process or before the interruption.
    fn has(&self, test: &PlannedTest) -> bool {
        let title = course::title(test);
        self.ran.record.tests.iter().any(|it| it.title() == title)
    }

    /// Takes the measurements of this test before it was interrupted.
    fn take_kept(&mut self, test: &PlannedTest) -> Option<InterruptedTest> {
        let title = course::title(test);
        self.kept.take_if(|kept| kept.title == title)
    }
}

/// Runs one test and adds it to the record. Returns false if further tests make no sense.
fn one(job: &Job<'_>, test: &PlannedTest, begun: &mut Begun) -> bool {
    let kept = begun.take_kept(test);
    let began = begun.began;
    let ran = &mut begun.ran;
    if let Some(kept) = &kept {
        let lasted = progress::clock(kept.at_s());
        job.tell
            .line(&format!("{}  resumes after {lasted}", test.label()));
    }
    job.tell.line(&format!(
        "{}  at most {}",
        test.label(),
        progress::clock(test.longest_s)
    ));
    let run = conduct::Run {
        kept,
        began,
        folder: &ran.folder.path,
    };
    let mut conducted = match conduct::test(job, test, run) {
        Ok(conducted) => conducted,
        Err(error) => {
            job.tell.line(&format!("{}: {error}", test.label()));
            let why = without_numbers(&format!("{}: {error}", test.label()));
            ran.record.incomplete_because = Some(match ran.record.incomplete_because.take() {
                Some(earlier) => format!("{earlier}; {why}"),
                None => why,
            });
            ran.record.outcome = ran.record.outcome.worst(Outcome::Internal);
            return job.settings.keep_going && !job.stop.is_cancelled();
        }
    };
    let program = job.settings.locust.as_deref();
    let can_compare = conducted.can_go_on && !job.stop.is_cancelled();
    if let Some(program) = program.filter(|_| can_compare) {
        let result = locust::run(job, program, test, &ran.folder.path);
        let title = conducted.record.title();
        ran.evidence.locust.insert(title, result.clone());
        conducted.record.locust_result = Some(result);
    }
    let title = conducted.record.title();
    tracing::info!(
        test = test.label(),
        outcome = ?conducted.record.outcome,
        requests = conducted.record.figures.requests,
        "the test has ended"
    );
    let store = conducted.store.lock();
    let begin = store.began().unwrap_or(began);
    let written = ran.folder.append_samples(&title, &store);
    let written = written.and_then(|()| ran.folder.write_logs(&title, &store, begin));
    drop(store);
    let bytes = conducted.evidence.take();
    let written = written.and(bytes.map_or(Ok(()), |bytes| ran.keep_evidence(&title, &bytes)));
    let written = written.and_then(|()| {
        let mut journals = conducted.drilled.iter();
        journals.try_for_each(|drill| ran.folder.write_journal(&drill.name, &drill.journal))
    });
    if conducted.record.complete {
        resume::forget(&ran.folder.path);
    }
    ran.unwritten = ran.unwritten.take().or(written.err());
    ran.failure = ran.failure.or(conducted.failure);
    ran.record.outcome = ran.record.outcome.worst(conducted.record.outcome);
    if let Some(why) = conducted.broken_off {
        ran.record.incomplete_because = Some(why);
    }
    ran.record.tests.push(conducted.record);
    conducted.can_go_on && !job.stop.is_cancelled()
}

impl Ran {
    fn new(record: RunRecord, folder: Folder) -> Self {
        Self {
            record,
            folder,
            unwritten: None,
            failure: None,
            can_be_resumed: false,
            evidence: RunEvidence::default(),
        }
    }

    /// Writes the evidence from which the record of a test is computed.
    fn keep_evidence(&mut self, title: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let file = self.evidence.new_file(&folder::file_name(title));
        self.folder.write_bytes(&file, bytes)?;
        self.record.evidence.insert(file.clone(), sha256(bytes));
        self.evidence.tests.insert(title.to_owned(), file);
        Ok(())
    }

    /// The evidence from which the record of the run is computed, beside that of its tests. Its sum is in the record.
    fn seal(&mut self, judged: bool) -> Result<Vec<u8>, WriteError> {
        let tests = std::mem::take(&mut self.record.tests);
        self.record.evidence.shift_remove(evidence::RUN);
        self.evidence.run = Some(self.record.clone());
        self.evidence.judged = judged;
        self.record.tests = tests;
        let bytes = self.folder.json(evidence::RUN, &self.evidence)?;
        let sum = sha256(&bytes);
        self.record.evidence.insert(evidence::RUN.to_owned(), sum);
        Ok(bytes)
    }

    /// Writes the record of a run that has not ended, which is incomplete.
    fn keep(&mut self, job: &Job<'_>) {
        let because = self.record.incomplete_because.clone();
        let outcome = self.record.outcome;
        self.record.not_run = not_run(job.plan, &self.record.tests);
        self.record.complete = false;
        self.record.incomplete_because = Some(match self.record.not_run.len() {
            0 => "the run has not ended yet".to_owned(),
            1 => "1 test has not run yet".to_owned(),
            left => format!("{left} tests have not run yet"),
        });
        self.record.outcome = outcome.worst(Outcome::Inconclusive);
        let written = self.seal(false);
        let written = written.and_then(|sealed| self.folder.write_record(&self.record, &sealed));
        self.record.incomplete_because = because;
        self.record.outcome = outcome;
        self.unwritten = self.unwritten.take().or(written.err());
    }

    /// Decides whether the run is complete, and judges what spans its tests. Returns the evidence of the run.
    fn settle(&mut self, job: &Job<'_>) -> Result<Vec<u8>, WriteError> {
        let all = self.record.tests.len() == job.plan.tests.len();
        self.record.not_run = not_run(job.plan, &self.record.tests);
        if let Some(error) = &self.unwritten
            && self.record.incomplete_because.is_none()
        {
            let why = format!("{error}: {}", error.source);
            self.record.incomplete_because = Some(without_numbers(&why));
        }
        self.record.complete = all && self.record.incomplete_because.is_none();
        if let Some(why) = job.interrupted() {
            self.record.incomplete_because = Some(why.to_owned());
            self.record.outcome = self.record.outcome.worst(Outcome::Interrupted);
        }
        let sealed = self.seal(true);
        crate::judge::judge_run(&mut self.record);
        sealed
    }

    /// Writes the reports, then the final record: a complete record has all of its files. If one cannot be written,
    /// the record says so, and there are no reports that say otherwise.
    fn finish(&mut self, job: &Job<'_>) {
        let sealed = self.settle(job);
        let baseline = known::summary_of_baseline(job, &self.record);
        let (folder, views) = (&self.folder, &job.file.views);
        let written = sealed.and_then(|sealed| {
            folder.write_views(&self.record, views, baseline.as_ref())?;
            folder.write_record(&self.record, &sealed)
        });
        let Err(error) = written else { return };
        folder.remove_views(&self.record, views);
        self.unwritten = self.unwritten.take().or(Some(error));
        // If there is no room for it, the earlier record remains; that one is marked incomplete too.
        if let Ok(sealed) = self.settle(job) {
            drop(self.folder.write_record(&self.record, &sealed));
        }
    }
}

/// A minute without load between two tests, and a reset. Between parts and cells of one test, a tenth of
/// it: each must find the system in its initial state. Returns false if the run is to end.
fn pause(job: &Job<'_>, before: &PlannedTest, next: &PlannedTest) -> bool {
    let share = if before.name == next.name { 0.1 } else { 1.0 };
    let length = BETWEEN_TESTS.mul_f64(job.plan.time_scale * share);
    let end = std::time::Instant::now() + length;
    while std::time::Instant::now() < end && !job.stop.is_cancelled() {
        let left = end.saturating_duration_since(std::time::Instant::now());
        job.tell.live(&[format!(
            "{} follows in {:.0} s",
            next.label(),
            left.as_secs_f64()
        )]);
        std::thread::sleep(LOOK.min(left));
    }
    if let Some(admin) = job.target.admin()
        && let Err(error) = admin.reset()
    {
        job.tell
            .line(&format!("the system cannot be reset: {error}"));
    }
    !job.stop.is_cancelled()
}

fn empty_record(job: &Job<'_>, folder: &Folder, now: Timestamp) -> RunRecord {
    let target = job.target;
    let state = target.admin().and_then(|admin| admin.state().ok());
    RunRecord {
        schema: SCHEMA,
        run: folder.name.clone(),
        suite: job.plan.suite.clone(),
        began: now.to_string(),
        duration_s: 0.0,
        complete: false,
        incomplete_because: None,
        not_run: not_run(job.plan, &[]),
        outcome: Outcome::Passed,
        time_scale: job.plan.time_scale,
        seed: job
            .settings
            .seed
            .or(state.as_ref().and_then(|state| state["seed"].as_u64())),
        plan_hash: hash(job.plan),
        evidence: IndexMap::new(),
        percentile_method: PERCENTILE_METHOD.to_owned(),
        target: report::record::Target {
            name: target.name().to_owned(),
            base_url: target.base_url().to_owned(),
            simulated: target.is_simulated(),
            revision: state.map(|state| state["revision"].to_string()),
        },
        generator: surroundings::generator(),
        environment: surroundings::environment(&job.settings.variables),
        tests: Vec::new(),
    }
}

/// The titles of the planned tests that did not run.
fn not_run(plan: &Plan, ran: &[TestRecord]) -> Vec<String> {
    let ran: HashSet<String> = ran.iter().map(TestRecord::title).collect();
    let planned = plan.tests.iter();
    let titles = planned.map(|test| title(&test.name, test.part.as_deref(), &test.cell));
    titles.filter(|title| !ran.contains(title)).collect()
}

fn hash(plan: &Plan) -> String {
    sha256(json!(plan).to_string().as_bytes())
}

/// In hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::built_in;
    use crate::plan::{Selection, plan};

    #[test]
    fn tests_that_did_not_run_are_named_like_records() {
        let file = built_in("acso").expect("a built-in suite").expect("sound");
        let selection = Selection {
            tests: vec!["all-tests".to_owned()],
            ..Selection::default()
        };
        let plan = plan(&file, &selection, &|_| None).expect("a plan");
        let all = not_run(&plan, &[]);
        assert_eq!(all.len(), plan.tests.len());
        let distinct: HashSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
        // One of a grid, the first and the last: exactly the completed tests are left out.
        let of_grid = plan.tests.iter().position(|test| !test.cell.is_empty());
        let places = [0, of_grid.unwrap_or(1), plan.tests.len() - 1];
        let ran: Vec<TestRecord> = places
            .iter()
            .map(|place| {
                let store = measure::Store::default();
                record::so_far(&plan.tests[*place], &store, &[])
            })
            .collect();
        let left = not_run(&plan, &ran);
        let expected = all.iter().enumerate();
        let expected = expected.filter(|(place, _)| !places.contains(place));
        let expected: Vec<&String> = expected.map(|(_, title)| title).collect();
        assert_eq!(left.iter().collect::<Vec<_>>(), expected);
    }
}
