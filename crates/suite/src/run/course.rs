//! The progress of a test of phases: from its start, or from the point at which it was interrupted.

use std::sync::{Mutex, PoisonError};

use load_engine::system_errors::without_numbers;
use report::record::EventKind;
use serde_json::Value;

use super::job::Job;
use super::leg::Leg;
use super::resume::{Earlier, InterruptedTest, Journal, Part, heading, keeps_journal};
use super::stage::{Driving, Stage};
use crate::plan::{PlannedPhase, PlannedTest, rest};

/// The leg to drive, with the measurements before it.
pub struct Course {
    /// `None`: the plan was complete when the test was interrupted.
    pub leg: Option<Leg>,
    kept: Option<InterruptedTest>,
    journal: Mutex<Option<Journal>>,
}

impl Course {
    /// The whole test, or the rest of an interrupted one, whose measurements go into the stage.
    pub fn new(stage: &Stage<'_>, kept: Option<InterruptedTest>) -> Self {
        match kept {
            Some(kept) => Self::on(stage, kept),
            None => Self::whole(stage),
        }
    }

    fn whole(stage: &Stage<'_>) -> Self {
        let (job, test) = (stage.job, stage.test);
        let leg = Leg {
            options: options(job, test),
            phases: planned_phases(job, test),
        };
        let has_journal = job.settings.script.is_none() && keeps_journal(test);
        let begin = || {
            let first = heading(title(test), job.target.base_url());
            Journal::begin(stage.run_folder, first, &leg.phases)
        };
        Self {
            journal: Mutex::new(has_journal.then(begin).and_then(|made| noted(stage, made))),
            leg: Some(leg),
            kept: None,
        }
    }

    fn on(stage: &Stage<'_>, mut kept: InterruptedTest) -> Self {
        let number = kept.parts.len() + 2;
        let left = rest(stage.job.file, stage.test, kept.of_plan_s(), number);
        let at_s = kept.at_s();
        let mut store = std::mem::take(&mut kept.store);
        let written = store.replayed();
        *stage.store.lock() = store;
        let mut journal = None;
        let leg = left.map(|left| {
            let part = Part::now(at_s, kept.last, left.back_s);
            let goes_on = Journal::go_on(stage.run_folder, written, part, &left.phases);
            journal = noted(stage, goes_on);
            kept.parts.push(part);
            Leg {
                options: left.options,
                phases: left.phases,
            }
        });
        Self {
            leg,
            kept: Some(kept),
            journal: Mutex::new(journal),
        }
    }

    /// The results of the earlier legs.
    pub fn driven(&self, stage: &Stage<'_>) -> Driving {
        Driving {
            phases: self
                .kept
                .iter()
                .flat_map(|kept| kept.phases.clone())
                .collect(),
            completed_iterations: stage.store.lock().iterations(),
            ..Driving::default()
        }
    }

    /// The test as it has to be prepared: a system that has kept running keeps its state.
    pub fn prepared(&self, job: &Job<'_>, test: &PlannedTest) -> PlannedTest {
        let mut test = test.clone();
        if self.kept.is_some() && !self.is_other_target(job) {
            test.before.reset = false;
            test.before.populate.clear();
        }
        test
    }

    /// Takes the journal, for the thread that writes it.
    pub fn take_journal(&self) -> Option<Journal> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.take()
    }

    /// The observations before the interruption.
    pub fn earlier(&self, job: &Job<'_>) -> Option<Earlier> {
        let kept = self.kept.as_ref()?;
        Some(Earlier::of(kept, self.is_other_target(job)))
    }

    /// Whether the target is a new process: one that is started here always is.
    fn is_other_target(&self, job: &Job<'_>) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|kept| kept.base_url != job.target.base_url())
    }
}

/// The title of a planned test, as in its record.
pub fn title(test: &PlannedTest) -> String {
    report::record::title(&test.name, test.part.as_deref(), &test.cell)
}

/// A journal that cannot be written prevents resuming, but not the test.
fn noted(stage: &Stage<'_>, made: std::io::Result<Journal>) -> Option<Journal> {
    made.map_err(|error| warn(stage, &error)).ok()
}

/// Warns that the journal ended.
pub fn warn(stage: &Stage<'_>, error: &std::io::Error) {
    let error = without_numbers(&error.to_string());
    let text = format!("the test could not be resumed if it were interrupted: {error}");
    stage.job.tell.warn(&text);
    stage.note(EventKind::Warning, text, Value::Null);
}

/// A script given on the command line has its own options.
fn options(job: &Job<'_>, test: &PlannedTest) -> Value {
    match job.settings.script {
        Some(_) => Value::Null,
        None => test.options.clone(),
    }
}

fn planned_phases(job: &Job<'_>, test: &PlannedTest) -> Vec<PlannedPhase> {
    match job.settings.script {
        Some(_) => Vec::new(),
        None => test.phases.clone(),
    }
}
