//! Calls into the script: init code, the exported functions, and the event loop after them.

use load_engine::log::Level;
use load_engine::{Activation, Iteration, ScriptError};
use load_metrics::{SystemTag, builtin};
use script_engine::convert;
use script_engine::exception;
use script_engine::isolate;
use script_engine::memory::Overdraft;
use script_engine::promise::{self, State};
use script_engine::property::{Visible, define};
use script_engine::raise::raise;
use script_engine::throw::{Throw, plain};
use script_engine::{Ctx, Function, Object, Persistent, Value};

use super::setup_data;
use super::state::{Abort, Phase, VuState};
use crate::compile::Code;
use crate::loading;
use crate::modules;

/// Exports that are functions or missing.
const FUNCTIONS: [&str; 2] = ["setup", "teardown"];

/// The end of a piece of script code.
pub(crate) enum Ending<R> {
    /// The code returned.
    Returned(R),
    /// By an exception, as k6 logs it.
    Threw(String),
    /// By a rejected promise without a handler, as k6 logs it.
    Rejected(String),
    /// By `exec.test.abort`.
    Aborted(Abort),
    /// By the interrupt.
    Interrupted,
}

impl<R> Ending<R> {
    pub(crate) fn into_error(self) -> ScriptError {
        match self {
            // In k6 this is not an exception of the script, whichever promise it was.
            Self::Rejected(text) => ScriptError::Rejected(text),
            Self::Threw(mut text) => {
                // k6 ends the text like this even without a stack, except for mismatched imports and exports.
                if loading::is_missing_export(&text) {
                    text.truncate(text.trim_end().len());
                } else if !text.ends_with('\n') {
                    text.push('\n');
                }
                ScriptError::Exception(text)
            }
            Self::Aborted(abortion) => ScriptError::Aborted(abortion.said),
            Self::Interrupted | Self::Returned(_) => ScriptError::Interrupted,
        }
    }
}

/// The reason why a piece of script code did not return.
pub(crate) enum Failed {
    Thrown(Throw),
    /// A promise was rejected without a handler. The text is k6's.
    Rejected(String),
}

impl From<Throw> for Failed {
    fn from(throw: Throw) -> Self {
        Self::Thrown(throw)
    }
}

impl From<script_engine::Error> for Failed {
    fn from(error: script_engine::Error) -> Self {
        Self::Thrown(error.into())
    }
}

/// Runs `job` and returns how it ended.
pub(crate) fn to_the_end<R>(
    ctx: &Ctx<'_>,
    state: &VuState,
    job: impl FnOnce(&Ctx<'_>, &VuState) -> Result<R, Failed>,
) -> Ending<R> {
    if let Some(overdraft) = isolate::is_blocked() {
        return Ending::Threw(out_of_memory(state, overdraft, ""));
    }
    let outcome = job(ctx, state);
    let mut ending = match outcome {
        Ok(value) => Ending::Returned(value),
        Err(Failed::Thrown(throw)) => why(ctx, throw),
        Err(Failed::Rejected(text)) => Ending::Rejected(text),
    };
    if let Some(overdraft) = isolate::settle_memory() {
        let said = match &ending {
            Ending::Threw(text) | Ending::Rejected(text) => text.as_str(),
            _ => "",
        };
        if overdraft.is_over || exception::is_out_of_memory(said) {
            ending = Ending::Threw(out_of_memory(state, overdraft, said));
        }
    }
    if isolate::was_cut_short() && state.is_interrupted() {
        ending = Ending::Interrupted;
    }
    let timers = state.events.clear_timers();
    if let Some(abortion) = state.aborted.take() {
        ending = Ending::Aborted(abortion);
    }
    let is_iteration = state.phase.get() == Phase::Iteration;
    if !matches!(ending, Ending::Returned(_))
        && (is_iteration || state.interrupt.borrow().is_cancelled())
    {
        for (number, function) in timers {
            state.logger.warn(&format!(
                "{function} {number} was stopped because the VU iteration was interrupted"
            ));
        }
    }
    if !matches!(ending, Ending::Returned(_)) && isolate::is_blocked().is_none() {
        say_farewell(ctx, state);
    }
    state.events.clear();
    ending
}

/// Ends the connections that the code has left open, and reports this to the script if an exception ended its code.
/// Exceptions of their handlers are ignored, and connections that they open are dropped.
fn say_farewell(ctx: &Ctx<'_>, state: &VuState) {
    for farewell in state.events.take_farewells() {
        let told = farewell(ctx).and_then(|()| promise::run_jobs(ctx));
        if told.is_err() {
            drop(ctx.catch());
        }
    }
}

/// The error of a VU that uses too much memory, with the stack at which it was ended.
fn out_of_memory(state: &VuState, overdraft: Overdraft, said: &str) -> String {
    let stack = said.find("\n\tat ").map_or("", |at| &said[at..]);
    let vu = state.ids.in_test;
    format!("out of memory: virtual user {vu} {overdraft} (--vu-memory-mb){stack}")
}

fn why<R>(ctx: &Ctx<'_>, throw: Throw) -> Ending<R> {
    if matches!(throw, Throw::Interrupted) {
        let _ = ctx.catch();
        return Ending::Interrupted;
    }
    raise(ctx, throw);
    match exception::take(ctx) {
        Ok(error) => Ending::Threw(exception::describe(&error)),
        // The place where the VU was ended for exceeding its memory.
        Err(interrupt) if isolate::is_over() => Ending::Threw(exception::describe(&interrupt)),
        Err(_) => Ending::Interrupted,
    }
}

/// Evaluates the script. Its exports are live.
pub(crate) fn init<'js>(ctx: &Ctx<'js>, state: &VuState) -> Result<Object<'js>, Failed> {
    set_environment(ctx, state, &[])?;
    define(
        &ctx.globals(),
        c"__VU",
        convert::number(ctx, state.ids.in_instance as f64),
        Visible::Yes,
    )?;
    let entry = state.script.entry();
    let main = match loading::instantiate(ctx, state, entry)? {
        Code::Module(main) => main,
        Code::Common(main) => {
            let exports = modules::require::evaluate(ctx, entry, &main);
            let exports = exports.map_err(|throw| outlived(ctx, state, throw.into()))?;
            return exported_object(exports);
        }
    };
    let (module, promise) = loading::evaluate(state, main)?;
    if let Err(failed) = settle(ctx, state, &promise) {
        // An error of top-level code is an exception, not an unhandled promise.
        return Err(match promise::state(&promise) {
            State::Rejected(reason) => {
                let _ = ctx.catch();
                outlived(ctx, state, Throw::Engine(ctx.throw(reason)).into())
            }
            State::Fulfilled(_) | State::Pending => failed,
        });
    }
    Ok(module.namespace(ctx)?)
}

/// The exports of a CommonJS script, which may be any value.
fn exported_object(exports: Value<'_>) -> Result<Object<'_>, Failed> {
    if exports.is_null() {
        let why = "CommonJS's exports must not be null";
        return Err(Failed::Rejected(why.to_owned()));
    }
    if exports.is_undefined() {
        let why = "Cannot convert undefined or null to object";
        return Err(Throw::Type(why.to_owned()).into());
    }
    let exports = exports.into_object();
    exports.ok_or_else(|| Failed::Rejected("no exported functions in script".to_owned()))
}

/// The exported options as JSON, and the names of the exported functions.
pub(crate) fn describe(
    ctx: &Ctx<'_>,
    exports: Exports,
) -> Result<(serde_json::Value, Vec<String>), Failed> {
    let exports = restore(ctx, exports)?;
    let options: Value<'_> = exports.get("options")?;
    if let Some(why) = convert::unwritable(&options)? {
        let why = format!("error parsing script options: json: {why}");
        return Err(Failed::Rejected(why));
    }
    let options = convert::to_json_value(&options)?;
    let mut functions = Vec::new();
    for (name, value) in convert::entries(&exports)? {
        if value.is_function() {
            functions.push(name);
        } else if FUNCTIONS.contains(&name.as_str()) {
            return Err(Failed::Rejected(format!(
                "exported '{name}' must be a function"
            )));
        }
    }
    Ok((options, functions))
}

/// The exports of a script.
pub(crate) type Exports = Option<Persistent<Object<'static>>>;

/// The inputs of an iteration.
pub(crate) struct Target<'a> {
    pub(crate) exports: Exports,
    pub(crate) setup_data: Option<Persistent<Value<'static>>>,
    /// The name of the exported function.
    pub(crate) function: &'a str,
}

/// Runs one iteration.
pub(crate) fn iterate(ctx: &Ctx<'_>, state: &VuState, target: Target<'_>) -> Result<(), Failed> {
    let Target {
        exports,
        setup_data,
        function: name,
    } = target;
    if let Some(iteration) = state.iteration.get() {
        define(
            &ctx.globals(),
            c"__ITER",
            convert::number(ctx, iteration.in_vu as f64),
            Visible::Yes,
        )?;
    }
    let function: Option<Function<'_>> = restore(ctx, exports)?.get(name)?;
    let function =
        function.ok_or_else(|| plain(format!("function '{name}' not found in exports")))?;
    // Also without data, since scripts may count their arguments.
    let data = match setup_data {
        Some(data) => data.restore(ctx)?,
        None => Value::new_undefined(ctx.clone()),
    };
    let result: Value<'_> = function.call((data,))?;
    settle(ctx, state, &result).map(drop)
}

/// The result of a function of the script, or the error of its conversion.
pub(crate) type Returned<T> = Result<Option<T>, String>;

/// Runs `setup`, if there is one. Returns its result as JSON.
pub(crate) fn setup(
    ctx: &Ctx<'_>,
    state: &VuState,
    exports: Exports,
) -> Result<Returned<String>, Failed> {
    let Some(function) = exported(ctx, exports, "setup")? else {
        return Ok(Ok(None));
    };
    let result = function.call(())?;
    let value = settle(ctx, state, &result)?;
    if value.is_undefined() {
        return Ok(Ok(None));
    }
    Ok(setup_data::to_json(ctx, value)?)
}

/// Runs `teardown`, if there is one.
pub(crate) fn teardown(
    ctx: &Ctx<'_>,
    state: &VuState,
    exports: Exports,
    data: Option<std::sync::Arc<str>>,
) -> Result<(), Failed> {
    let Some(function) = exported(ctx, exports, "teardown")? else {
        return Ok(());
    };
    let data = match data {
        Some(json) => convert::from_json(ctx, &json)?,
        None => Value::new_undefined(ctx.clone()),
    };
    let result = function.call((data,))?;
    settle(ctx, state, &result).map(drop)
}

/// Runs the event loop until no work is pending, then returns the settled `value`.
pub(super) fn settle<'js>(
    ctx: &Ctx<'js>,
    state: &VuState,
    value: &Value<'js>,
) -> Result<Value<'js>, Failed> {
    loop {
        promise::run_jobs(ctx)?;
        if state.is_interrupted() {
            return Err(Throw::Interrupted.into());
        }
        // A rejection of the function's own promise is read here, and so counts as handled.
        if let State::Rejected(reason) = promise::state(value) {
            return Err(uncaught(&reason));
        }
        if let Some(reason) = state.events.take_rejection(ctx) {
            return Err(uncaught(&reason));
        }
        if state.events.is_empty() {
            break;
        }
        state.events.turn(ctx)?;
    }
    match promise::state(value) {
        State::Fulfilled(value) => Ok(value),
        State::Pending => Ok(Value::new_undefined(ctx.clone())),
        State::Rejected(reason) => Err(uncaught(&reason)),
    }
}

/// The exception of code whose timers still run after it; an exception of a timer replaces it.
pub(super) fn outlived(ctx: &Ctx<'_>, state: &VuState, failed: Failed) -> Failed {
    let throw = match failed {
        Failed::Thrown(Throw::Interrupted) => return failed,
        Failed::Thrown(throw) => throw,
        Failed::Rejected(_) => return run_out(ctx, state).err().map_or(failed, Failed::Thrown),
    };
    raise(ctx, throw);
    let Ok(reason) = exception::take(ctx) else {
        return Throw::Interrupted.into();
    };
    let ended = run_out(ctx, state).err();
    ended
        .unwrap_or_else(|| Throw::Engine(ctx.throw(reason)))
        .into()
}

/// Runs the event loop until no work is pending.
fn run_out(ctx: &Ctx<'_>, state: &VuState) -> Result<(), Throw> {
    while !state.events.is_empty() {
        state.events.turn(ctx)?;
        promise::run_jobs(ctx)?;
        if state.is_interrupted() {
            return Err(Throw::Interrupted);
        }
    }
    Ok(())
}

fn uncaught(reason: &Value<'_>) -> Failed {
    Failed::Rejected(format!(
        "Uncaught (in promise) {}",
        exception::describe(reason)
    ))
}

/// An export of any kind, if there is one with that name.
pub(super) fn export<'js>(
    ctx: &Ctx<'js>,
    exports: Exports,
    name: &str,
) -> Result<Option<Value<'js>>, Throw> {
    let exports = restore(ctx, exports)?;
    match exports.contains_key(name)? {
        true => Ok(Some(exports.get(name)?)),
        false => Ok(None),
    }
}

pub(super) fn exported<'js>(
    ctx: &Ctx<'js>,
    exports: Exports,
    name: &str,
) -> Result<Option<Function<'js>>, Throw> {
    let value: Value<'js> = restore(ctx, exports)?.get(name)?;
    Ok(convert::function(&value))
}

fn restore<'js>(ctx: &Ctx<'js>, exports: Exports) -> Result<Object<'js>, Throw> {
    let exports = exports.ok_or_else(|| plain("the script has not been initialised"))?;
    Ok(exports.restore(ctx)?)
}

/// Sets `__ENV`: the environment of the process and of the command line, then of the scenario.
pub(crate) fn set_environment(
    ctx: &Ctx<'_>,
    state: &VuState,
    scenario: &[(String, String)],
) -> Result<(), Throw> {
    // VUs share it until they change it. A change lasts until the VU's next activation.
    let turn = state.environments.get() + 1;
    state.environments.set(turn);
    let key = format!("environment {turn} {scenario:?}");
    let made = isolate::shared_data(ctx, &key, || {
        let environment = Object::new(ctx.clone())?;
        for (name, value) in state.script.environment().iter().chain(scenario) {
            environment.set(name.as_str(), value.as_str())?;
        }
        if state.script.freezes_environment {
            convert::freeze(environment.as_value())?;
        }
        Ok(vec![environment.into_value()])
    });
    if let Some(environment) = made?.pop() {
        define(&ctx.globals(), c"__ENV", environment, Visible::Yes)?;
    }
    Ok(())
}

/// Logs a rejected promise of an iteration as k6 does.
pub(crate) fn log_rejection(state: &VuState, text: &str) {
    let activation = state.activation.borrow();
    state
        .logger
        .log(Level::Error, text, &scenario_fields(activation.as_deref()));
}

/// Logs an exception of an iteration as k6 does.
pub(crate) fn log_exception(state: &VuState, text: &str) {
    let activation = state.activation.borrow();
    // A value that is not an error has no stack, but it was thrown through this function in any case.
    let with_place;
    let mut text = text;
    if let Some(activation) = activation.as_ref()
        && !text.contains("\n\tat ")
    {
        let end = text.trim_end_matches('\n');
        let (function, entry) = (&activation.function, state.script.entry());
        with_place = format!("{end}\n\tat {function} ({entry})\n");
        text = &with_place;
    }
    let mut fields = scenario_fields(activation.as_deref());
    fields.push(("source", "stacktrace"));
    state.logger.log(Level::Error, text, &fields);
}

fn scenario_fields(activation: Option<&Activation>) -> Vec<(&str, &str)> {
    let scenario = activation.map(|activation| &activation.scenario);
    scenario.map_or_else(Vec::new, |scenario| {
        vec![
            ("executor", scenario.executor),
            ("scenario", &*scenario.name),
        ]
    })
}

impl VuState {
    /// Resets the state for a new iteration.
    pub(crate) fn begin_iteration(&self, iteration: Iteration) {
        self.iteration.set(Some(iteration));
        self.leave_groups();
        if !self.run.options().no_cookies_reset.unwrap_or(false) {
            self.reset_jar();
        }
        if self.recorder.wants(SystemTag::Iter) || self.recorder.wants(SystemTag::Vu) {
            self.note_metadata(iteration);
        }
    }

    /// Records the traffic of the iteration that ends.
    pub(crate) fn end_iteration(&self) {
        self.leave_groups();
        self.count_traffic();
        if self.run.options().no_vu_connection_reuse.unwrap_or(false) {
            self.client.close_idle();
        }
    }

    /// Records the traffic since the last call, also that of interrupted code.
    pub(crate) fn count_traffic(&self) {
        let (sent, received) = self.client.take_traffic();
        let (tags, at) = (self.tags(), self.recorder.sample_time());
        let metadata = self.tagging.metadata.borrow();
        let count = |metric, bytes: u64| {
            self.recorder
                .record_with(metric, &tags, metadata.as_ref(), at, bytes as f64);
        };
        count(builtin::DATA_SENT, sent);
        count(builtin::DATA_RECEIVED, received);
    }

    /// Drops all handles into the realm.
    pub(crate) fn forget(&self) {
        self.events.clear();
        self.required.borrow_mut().clear();
        self.client.close_idle();
    }

    fn reset_jar(&self) {
        let mut jar = self.jar.borrow_mut();
        if !jar.is_empty() {
            *jar = std::rc::Rc::default();
        }
    }

    fn note_metadata(&self, iteration: Iteration) {
        let mut pairs = Vec::new();
        if self.recorder.wants(SystemTag::Iter) {
            pairs.push(("iter", iteration.in_vu.to_string()));
        }
        if self.recorder.wants(SystemTag::Vu) {
            pairs.push(("vu", self.ids.in_instance.to_string()));
        }
        *self.tagging.metadata.borrow_mut() =
            Some(std::sync::Arc::new(pairs.into_iter().collect()));
    }
}
