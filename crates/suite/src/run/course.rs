//! How a test of phases goes: from its start, or on from where it was interrupted.

use std::sync::{Mutex, PoisonError};

use report::record::EventKind;
use serde_json::Value;

use super::job::Job;
use super::leg::Leg;
use super::resume::{Earlier, InterruptedTest, Journal, Part, heading, keeps_journal};
use super::stage::{Driving, Stage};
use crate::plan::{PlannedPhase, PlannedTest, rest};

/// The leg that is to be driven, with what was measured before it.
pub struct Course {
    /// `None`: the plan was over when the test was interrupted.
    pub leg: Option<Leg>,
    kept: Option<InterruptedTest>,
    journal: Mutex<Option<Journal>>,
}

impl Course {
    /// The whole test, or what is left of an interrupted one: its measurements go into the stage.
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

    /// What was driven before.
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

    /// The test as it has to be prepared: a system that has gone on keeps what it holds.
    pub fn prepared(&self, job: &Job<'_>, test: &PlannedTest) -> PlannedTest {
        let mut test = test.clone();
        if self.kept.is_some() && !self.is_other_target(job) {
            test.before.reset = false;
            test.before.populate.clear();
        }
        test
    }

    /// The journal, for the one who keeps it.
    pub fn take_journal(&self) -> Option<Journal> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.take()
    }

    /// What was seen before.
    pub fn earlier(&self, job: &Job<'_>) -> Option<Earlier> {
        let kept = self.kept.as_ref()?;
        Some(Earlier::of(kept, self.is_other_target(job)))
    }

    /// Whether the target began anew: one that is started here always does.
    fn is_other_target(&self, job: &Job<'_>) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|kept| kept.base_url != job.target.base_url())
    }
}

/// Title of a planned test, as its record has it.
pub fn title(test: &PlannedTest) -> String {
    report::record::title(&test.name, test.part.as_deref(), &test.cell)
}

/// A journal that cannot be written costs the chance to go on, not the test.
fn noted(stage: &Stage<'_>, made: std::io::Result<Journal>) -> Option<Journal> {
    made.map_err(|error| warn(stage, &error)).ok()
}

/// Says that the journal ended.
pub fn warn(stage: &Stage<'_>, error: &std::io::Error) {
    let text = format!("the test could not be resumed if it were interrupted: {error}");
    stage.job.tell.line(&text);
    stage.note(EventKind::Warning, text, Value::Null);
}

/// A script of one's own has options of its own.
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
