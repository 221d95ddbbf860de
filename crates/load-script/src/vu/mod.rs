//! A virtual user: a realm, a stack, and the interface to the engine.

pub(crate) mod events;
mod host;
mod run;
mod setup_data;
pub(crate) mod state;
mod summary;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use load_engine::{
    Activation, Interrupt, Iteration, IterationEnd, ScriptError, SummaryCall, SummaryReturn,
    VuContext,
};
use load_metrics::{SystemTag, TagSet, Tags};
use run::{Ending, Exports, Failed, Target};
use script_engine::fiber::Fiber;
use script_engine::host::Host;
use script_engine::isolate::Isolate;
use script_engine::{Ctx, Persistent};
use serde_json::Value;
use state::{Phase, VuState};
use summary::Summing;

use crate::script::Script;

/// The most address space of a VU's stack; its memory limit may lower it. Only touched pages take memory, about four for
/// a usual script; the rest is for recursion, of which k6's engine supports fifty thousand calls.
const STACK_BYTES: usize = 64 << 20;

/// One virtual user that runs a script.
pub struct ScriptVu {
    fiber: Fiber,
    exports: Exports,
    /// The result of `setup`, as this VU's own copy.
    setup_data: Option<Persistent<script_engine::Value<'static>>>,
    isolate: Isolate,
    state: Rc<VuState>,
}

impl ScriptVu {
    /// Runs the init code of the script in a new realm.
    pub(crate) async fn new(context: VuContext, script: Arc<Script>) -> Result<Self, ScriptError> {
        let failed = |error: &dyn std::fmt::Display| ScriptError::Exception(error.to_string());
        let stack_bytes = STACK_BYTES.min(script.settings().vu_memory_bytes);
        let fiber = Fiber::new(stack_bytes).map_err(|error| failed(&error))?;
        let mut isolate =
            Isolate::new(fiber.lowest(), script.settings()).map_err(|error| failed(&error))?;
        let interrupt = context.interrupt.clone();
        let state = Rc::new(VuState::new(context, script));
        let host: Rc<dyn Host> = Rc::clone(&state) as _;
        let attached = isolate.attach(host, crate::modules::globals::install);
        attached.map_err(|throw| failed(&format!("the globals cannot be made: {throw:?}")))?;
        let mut vu = Self {
            fiber,
            exports: None,
            setup_data: None,
            isolate,
            state,
        };
        *vu.state.interrupt.borrow_mut() = interrupt.clone();
        let exports = vu.on_fiber(Phase::Init, &interrupt, |ctx, state| {
            let exports = run::init(ctx, state)?;
            Ok(Persistent::save(ctx, exports))
        });
        match exports.await {
            Ending::Returned(exports) => vu.exports = Some(exports),
            Ending::Aborted(abortion) => {
                return Err(ScriptError::Aborted(abortion.said + &abortion.place));
            }
            other => return Err(other.into_error()),
        }
        Ok(vu)
    }

    /// The names and kinds of the script's exports, and its options.
    pub(crate) async fn describe(&mut self) -> Result<(Value, Vec<String>), ScriptError> {
        let exports = self.exports.clone();
        let interrupt = Interrupt::new();
        *self.state.interrupt.borrow_mut() = interrupt.clone();
        let described = self.on_fiber(Phase::Init, &interrupt, |ctx, _| {
            run::describe(ctx, exports)
        });
        match described.await {
            Ending::Returned(described) => Ok(described),
            other => Err(other.into_error()),
        }
    }

    /// The number of shared objects that this VU has changed.
    pub(crate) fn changed_objects(&self) -> usize {
        self.isolate.changed_objects()
    }

    /// Passes the environment and the setup data of a new activation to the script.
    async fn tell(&mut self, activation: &Activation) {
        self.setup_data = None;
        let told = self.on_fiber(Phase::Iteration, &activation.interrupt, |ctx, state| {
            run::set_environment(ctx, state, &activation.env)?;
            let Some(json) = &activation.setup_data else {
                return Ok(None);
            };
            let value = script_engine::convert::from_json(ctx, json)?;
            Ok(Some(Persistent::save(ctx, value)))
        });
        if let Ending::Returned(data) = told.await {
            self.setup_data = data;
        }
    }

    /// Runs script code on the VU's stack, including the event loop. The state must have the interrupt already.
    async fn on_fiber<R>(
        &mut self,
        phase: Phase,
        interrupt: &Interrupt,
        job: impl FnOnce(&Ctx<'_>, &VuState) -> Result<R, Failed>,
    ) -> Ending<R> {
        let Self {
            fiber,
            isolate,
            state,
            ..
        } = self;
        state.phase.set(phase);
        let cancelled = pin!(interrupt.cancelled());
        let work = || run::to_the_end(&isolate.ctx(), state, job);
        fiber.run(cancelled, &*isolate, work).await
    }
}

impl load_engine::Vu for ScriptVu {
    fn activate(&mut self, activation: Rc<Activation>) {
        let state = &self.state;
        let pairs: Vec<(&str, &str)> = activation
            .tags
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        state.set_base(state.recorder.extend(&state.recorder.root(), &pairs));
        *state.interrupt.borrow_mut() = activation.interrupt.clone();
        // The rest uses the realm and needs the fiber: `prepare` does it.
        *self.state.activation.borrow_mut() = Some(activation);
    }

    async fn prepare(&mut self) {
        let activation = self.state.activation.borrow().clone();
        if let Some(activation) = activation {
            self.tell(&activation).await;
        }
    }

    async fn iterate(&mut self, iteration: Iteration) -> IterationEnd {
        let Some(activation) = self.state.activation.borrow().clone() else {
            return IterationEnd::Interrupted;
        };
        self.state.begin_iteration(iteration);
        let target = Target {
            exports: self.exports.clone(),
            setup_data: self.setup_data.clone(),
            function: &activation.function,
        };
        let ending = self
            .on_fiber(Phase::Iteration, &activation.interrupt, |ctx, state| {
                run::iterate(ctx, state, target)
            })
            .await;
        self.state.end_iteration();
        match ending {
            Ending::Returned(()) => IterationEnd::Completed,
            Ending::Threw(text) => {
                run::log_exception(&self.state, &text);
                IterationEnd::Failed
            }
            Ending::Rejected(text) => {
                run::log_rejection(&self.state, &text);
                IterationEnd::Failed
            }
            Ending::Aborted(abortion) => IterationEnd::Aborted(abortion.said + &abortion.place),
            Ending::Interrupted => IterationEnd::Interrupted,
        }
    }

    fn tags(&self) -> TagSet {
        self.state.tags()
    }

    fn metadata(&self) -> Option<Arc<Tags>> {
        self.state.tagging.metadata.borrow().clone()
    }

    async fn setup(&mut self, interrupt: Interrupt) -> Result<Option<Arc<str>>, ScriptError> {
        self.enter_stage("setup");
        let exports = self.exports.clone();
        *self.state.interrupt.borrow_mut() = interrupt.clone();
        let ending = self
            .on_fiber(Phase::Setup, &interrupt, |ctx, state| {
                run::setup(ctx, state, exports)
            })
            .await;
        self.state.count_traffic();
        match ending {
            Ending::Returned(Ok(json)) => Ok(json.map(Arc::from)),
            Ending::Returned(Err(why)) => Err(ScriptError::Unusable(why)),
            other => Err(other.into_error()),
        }
    }

    async fn teardown(
        &mut self,
        data: Option<Arc<str>>,
        interrupt: Interrupt,
    ) -> Result<(), ScriptError> {
        self.enter_stage("teardown");
        let exports = self.exports.clone();
        *self.state.interrupt.borrow_mut() = interrupt.clone();
        let ending = self
            .on_fiber(Phase::Teardown, &interrupt, |ctx, state| {
                run::teardown(ctx, state, exports, data)
            })
            .await;
        self.state.count_traffic();
        match ending {
            Ending::Returned(()) => Ok(()),
            other => Err(other.into_error()),
        }
    }

    async fn handle_summary(&mut self, call: SummaryCall) -> SummaryReturn {
        let exports = self.exports.clone();
        let interrupt = call.interrupt.clone();
        *self.state.interrupt.borrow_mut() = interrupt.clone();
        let mut left = None;
        let ending = self.on_fiber(Phase::Summary, &interrupt, |ctx, state| {
            let left = &mut left;
            summary::summary(
                ctx,
                state,
                Summing {
                    exports,
                    call,
                    left,
                },
            )
        });
        let files = match ending.await {
            Ending::Returned(Ok(files)) => Ok(files),
            Ending::Returned(Err(why)) => Err(ScriptError::Unusable(why)),
            other => Err(other.into_error()),
        };
        SummaryReturn { files, data: left }
    }
}

impl ScriptVu {
    /// `setup` and `teardown` run in a group with that name.
    fn enter_stage(&self, name: &str) {
        let root = self.state.recorder.root();
        self.state.set_base(root);
        if self.state.recorder.wants(SystemTag::Group) {
            self.state.enter_group(format!("::{name}"));
        }
    }
}

/// An interrupt that is set.
fn ended() -> Interrupt {
    let interrupt = Interrupt::new();
    interrupt.cancel();
    interrupt
}

impl Drop for ScriptVu {
    fn drop(&mut self) {
        // Handles into the realm are dropped before the realm, and the realm before its state.
        self.exports = None;
        self.setup_data = None;
        *self.state.interrupt.borrow_mut() = ended();
        self.isolate.discard_jobs();
        self.state.forget();
    }
}
