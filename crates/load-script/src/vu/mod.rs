//! A virtual user: a realm, a stack, and the engine's border to both.

pub(crate) mod events;
mod run;
mod setup_data;
pub(crate) mod state;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use load_engine::{
    Activation, Interrupt, Iteration, IterationEnd, ScriptError, SummaryFile, VuContext,
};
use load_metrics::{SystemTag, TagSet, Tags};
use rquickjs::{Ctx, Object, Persistent};
use serde_json::Value;

use crate::fiber::Fiber;
use crate::js::isolate::Isolate;
use crate::js::native::Throw;
use crate::script::Script;
use run::Ending;
use state::{Phase, VuState};

/// Address space of a VU's stack. Only pages that are touched take memory: about four for a usual
/// script; the rest is for recursion.
const STACK_BYTES: usize = 512 * 1024;

/// One virtual user that runs a script.
pub struct ScriptVu {
    fiber: Fiber,
    exports: Option<Persistent<Object<'static>>>,
    /// What `setup` returned, as this VU's own copy.
    setup_data: Option<Persistent<rquickjs::Value<'static>>>,
    isolate: Isolate,
    state: Box<VuState>,
}

impl ScriptVu {
    /// Runs the init code of the script in a new realm.
    pub(crate) async fn new(context: VuContext, script: Arc<Script>) -> Result<Self, ScriptError> {
        let failed = |error: &dyn std::fmt::Display| ScriptError::Exception(error.to_string());
        let fiber = Fiber::new(STACK_BYTES).map_err(|error| failed(&error))?;
        let mut isolate = Isolate::new(fiber.lowest(), &script).map_err(|error| failed(&error))?;
        let interrupt = context.interrupt.clone();
        let state = Box::new(VuState::new(context, script, isolate.classes()));
        let attached = isolate.attach(&state, crate::modules::globals::install);
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

    /// The names and kinds of what the script exports, and its options.
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

    /// How many objects that VUs share this one has changed.
    pub(crate) fn changed_objects(&self) -> usize {
        self.isolate.changed_objects()
    }

    /// Gives the script the environment and the setup data of a new activation.
    async fn tell(&mut self, activation: &Activation) {
        self.setup_data = None;
        let told = self.on_fiber(Phase::Iteration, &activation.interrupt, |ctx, state| {
            run::set_environment(ctx, state, &activation.env)?;
            let Some(json) = &activation.setup_data else {
                return Ok(None);
            };
            let value = crate::js::convert::from_json(ctx, json)?;
            Ok(Some(Persistent::save(ctx, value)))
        });
        if let Ending::Returned(data) = told.await {
            self.setup_data = data;
        }
    }

    /// Runs script code on the VU's stack, event loop included. The state knows the interrupt already.
    async fn on_fiber<R>(
        &mut self,
        phase: Phase,
        interrupt: &Interrupt,
        job: impl FnOnce(&Ctx<'_>, &VuState) -> Result<R, Throw>,
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
        // The rest touches the realm and has to wait for the fiber: `prepare` does it.
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
        let (exports, data) = (self.exports.clone(), self.setup_data.clone());
        let call = |ctx: &Ctx<'_>, state: &VuState| {
            run::iterate(ctx, state, (exports, data, &activation.function))
        };
        let ending = self
            .on_fiber(Phase::Iteration, &activation.interrupt, call)
            .await;
        self.state.end_iteration();
        match ending {
            Ending::Returned(()) => IterationEnd::Completed,
            Ending::Threw(text) => {
                run::log_failure(&self.state, &text);
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
                run::teardown(ctx, state, (exports, data))
            })
            .await;
        self.state.count_traffic();
        match ending {
            Ending::Returned(()) => Ok(()),
            other => Err(other.into_error()),
        }
    }

    async fn handle_summary(
        &mut self,
        data: Value,
        interrupt: Interrupt,
    ) -> Result<Option<Vec<SummaryFile>>, ScriptError> {
        let exports = self.exports.clone();
        *self.state.interrupt.borrow_mut() = interrupt.clone();
        let ending = self.on_fiber(Phase::Summary, &interrupt, |ctx, state| {
            run::summary(ctx, state, (exports, data))
        });
        match ending.await {
            Ending::Returned(Ok(files)) => Ok(files),
            Ending::Returned(Err(why)) => Err(ScriptError::Unusable(why)),
            other => Err(other.into_error()),
        }
    }
}

impl ScriptVu {
    /// `setup` and `teardown` run in a group of that name.
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
        // Handles into the realm go before the realm, the realm before its state.
        self.exports = None;
        self.setup_data = None;
        *self.state.interrupt.borrow_mut() = ended();
        self.isolate.discard_jobs();
        self.state.forget();
    }
}
