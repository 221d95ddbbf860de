//! The interface to the implementation of virtual users.

use std::rc::Rc;
use std::sync::Arc;

use load_metrics::{Recorder, TagSet, Tags};
use serde_json::Value;

use crate::activation::{Activation, Iteration, IterationEnd};
use crate::log::Logger;
use crate::script::{Interrupt, ScriptError, SummaryCall, SummaryReturn};
use crate::state::RunState;

/// A program that virtual users run: a compiled script, or a closure in tests.
pub trait Program: Send + Sync + 'static {
    /// Its virtual user, which never leaves the thread on which it was made.
    type Vu: Vu;

    /// The options of the program, as the JSON object of k6's `options` export.
    fn options(&self) -> Value;

    /// Whether a scenario can use this function as its `exec`.
    fn has_function(&self, name: &str) -> bool;

    /// Makes a VU on the calling thread by running the init code. This may take long and must yield regularly.
    /// VU number 0 is for `setup`, `teardown` and the summary.
    fn make_vu(&self, context: VuContext) -> impl Future<Output = Result<Self::Vu, ScriptError>>;
}

/// One virtual user.
pub trait Vu: 'static {
    /// Begins work for a scenario. Called again when the VU moves to another one, or is added again after it
    /// was stopped.
    fn activate(&mut self, activation: Rc<Activation>);

    /// Prepares an activation, so that its first iteration begins at once.
    fn prepare(&mut self) -> impl Future<Output = ()> {
        async {}
    }

    /// Runs one iteration to its end, including the event loop.
    fn iterate(&mut self, iteration: Iteration) -> impl Future<Output = IterationEnd>;

    /// The current tags of this VU's samples (including scenario and `vu.metrics.tags`).
    fn tags(&self) -> TagSet;

    /// The metadata of its samples, which do not make a series (`iter`, `vu`, `vu.metrics.metadata`).
    fn metadata(&self) -> Option<Arc<Tags>> {
        None
    }

    /// Runs `setup`; its result as JSON text, `None` when there is no such function or it returned
    /// nothing.
    fn setup(
        &mut self,
        interrupt: Interrupt,
    ) -> impl Future<Output = Result<Option<Arc<str>>, ScriptError>>;

    /// Runs `teardown`, if there is one, with the result of `setup`.
    fn teardown(
        &mut self,
        data: Option<Arc<str>>,
        interrupt: Interrupt,
    ) -> impl Future<Output = Result<(), ScriptError>>;

    /// Runs `handleSummary`, if there is one.
    fn handle_summary(&mut self, call: SummaryCall) -> impl Future<Output = SummaryReturn>;
}

/// The inputs of a new VU.
#[derive(Debug, Clone)]
pub struct VuContext {
    /// Its numbers; all 0 outside scenarios.
    pub ids: VuIds,
    /// The recorder of its samples.
    pub recorder: Recorder,
    /// The run: options, counters, abort.
    pub run: Arc<RunState>,
    /// The receiver of log entries.
    pub logger: Logger,
    /// Interrupts its init code. Not always the run's interrupt, since `teardown` also runs after a stopped
    /// run.
    pub interrupt: Interrupt,
}

impl VuContext {
    /// The same with another interrupt of its init code.
    pub(crate) fn interrupted_by(self, interrupt: &Interrupt) -> Self {
        Self {
            interrupt: interrupt.clone(),
            ..self
        }
    }
}

/// The numbers of a VU, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VuIds {
    /// Among the VUs of this process.
    pub in_instance: u64,
    /// Among the VUs of all instances of a segmented test.
    pub in_test: u64,
}
