//! `k6/execution`: information about the running test. Every access reads the current value.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use load_engine::{Activation, Iteration};
use load_metrics::Tags;
use script_engine::convert;
use script_engine::exception;
use script_engine::native::{Call, Shape, accessor, function, getter, method};
use script_engine::property::{Visible, define, define_constant, fix};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Object, Value};

use super::tags;
use crate::vu::state::{Caller, Phase};

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    // Unlike k6's accessors, these do not throw in init code, since names that are imported are read there.
    define_constant(&exports, c"instance", instance(ctx)?.into_value())?;
    define_constant(&exports, c"scenario", scenario(ctx)?.into_value())?;
    define_constant(&exports, c"test", test(ctx)?.into_value())?;
    define_constant(&exports, c"vu", vu(ctx)?.into_value())?;
    Ok(exports)
}

fn instance<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let object = Object::new(ctx.clone())?;
    getter(
        &object,
        c"currentTestRunDuration",
        current_duration,
        Visible::Yes,
    )?;
    getter(
        &object,
        c"iterationsCompleted",
        iterations_completed,
        Visible::Yes,
    )?;
    getter(
        &object,
        c"iterationsInterrupted",
        iterations_interrupted,
        Visible::Yes,
    )?;
    getter(&object, c"vusActive", vus_active, Visible::Yes)?;
    getter(&object, c"vusInitialized", vus_initialized, Visible::Yes)?;
    fix(&object)?;
    Ok(object)
}

fn scenario<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let object = Object::new(ctx.clone())?;
    getter(&object, c"name", scenario_name, Visible::Yes)?;
    getter(&object, c"executor", scenario_executor, Visible::Yes)?;
    getter(&object, c"startTime", scenario_start, Visible::Yes)?;
    getter(&object, c"progress", scenario_progress, Visible::Yes)?;
    getter(
        &object,
        c"iterationInInstance",
        scenario_iteration_instance,
        Visible::Yes,
    )?;
    getter(
        &object,
        c"iterationInTest",
        scenario_iteration_test,
        Visible::Yes,
    )?;
    fix(&object)?;
    Ok(object)
}

fn test<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let object = Object::new(ctx.clone())?;
    method(&object, c"abort", abort)?;
    method(&object, c"fail", fail)?;
    getter(&object, c"options", options, Visible::Yes)?;
    fix(&object)?;
    Ok(object)
}

fn vu<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let object = Object::new(ctx.clone())?;
    getter(&object, c"idInInstance", vu_id_instance, Visible::Yes)?;
    getter(&object, c"idInTest", vu_id_test, Visible::Yes)?;
    getter(
        &object,
        c"iterationInInstance",
        vu_iteration_instance,
        Visible::Yes,
    )?;
    getter(
        &object,
        c"iterationInScenario",
        vu_iteration_scenario,
        Visible::Yes,
    )?;
    fix(&object)?;
    // In k6 each access returns a new object, and assignments to it are lost.
    accessor(&object, c"tags", metric_tags, lose)?;
    accessor(&object, c"metrics", metrics, lose)?;
    Ok(object)
}

fn metrics<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let metrics = Object::new(call.ctx.clone())?;
    getter(&metrics, c"tags", metric_tags, Visible::Yes)?;
    getter(&metrics, c"metadata", metric_metadata, Visible::Yes)?;
    fix(&metrics)?;
    Ok(metrics.into_value())
}

fn lose<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    Ok(call.undefined())
}

fn not_in_init(call: &Call<'_, '_>, what: &str) -> Result<(), Throw> {
    // In k6, code after the scenarios has no information about the instance.
    let phase = call.vu().phase.get();
    let is_after = what == "instance" && matches!(phase, Phase::Teardown | Phase::Summary);
    if call.vu().is_init() || is_after {
        return Err(plain(format!(
            "getting {what} information in the init context is not supported"
        )));
    }
    Ok(())
}

fn number<'js>(call: &Call<'_, 'js>, value: f64) -> Outcome<'js> {
    Ok(convert::number(call.ctx, value))
}

fn current_duration<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    not_in_init(call, "instance")?;
    number(call, call.vu().run.elapsed().as_secs_f64() * 1000.0)
}

fn iterations_completed<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    not_in_init(call, "instance")?;
    number(
        call,
        call.vu().run.instance.iterations_completed.load(Relaxed) as f64,
    )
}

fn iterations_interrupted<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    not_in_init(call, "instance")?;
    number(
        call,
        call.vu().run.instance.iterations_interrupted.load(Relaxed) as f64,
    )
}

fn vus_active<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    not_in_init(call, "instance")?;
    number(call, call.vu().run.instance.vus_active.load(Relaxed) as f64)
}

fn vus_initialized<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    not_in_init(call, "instance")?;
    number(
        call,
        call.vu().run.instance.vus_initialized.load(Relaxed) as f64,
    )
}

fn in_scenario(call: &Call<'_, '_>) -> Result<Rc<Activation>, Throw> {
    not_in_init(call, "scenario")?;
    let activation = match call.vu().phase.get() {
        Phase::Iteration => call.vu().activation.borrow().clone(),
        _ => None,
    };
    activation.ok_or_else(|| {
        plain("getting scenario information outside of the VU context is not supported")
    })
}

fn scenario_name<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    call.string(&in_scenario(call)?.scenario.name)
}

fn scenario_executor<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    call.string(in_scenario(call)?.scenario.executor)
}

fn scenario_start<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    number(call, in_scenario(call)?.scenario.started_unix_ms as f64)
}

fn scenario_progress<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    number(call, in_scenario(call)?.scenario.progress())
}

fn iteration(call: &Call<'_, '_>) -> Option<Iteration> {
    call.vu().iteration.get()
}

fn scenario_iteration_instance<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    in_scenario(call)?;
    number(call, iteration(call).map_or(0, |it| it.in_instance) as f64)
}

fn scenario_iteration_test<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    in_scenario(call)?;
    number(call, iteration(call).map_or(0, |it| it.in_test) as f64)
}

fn vu_id_instance<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    not_in_init(call, "VU")?;
    number(call, call.vu().ids.in_instance as f64)
}

fn vu_id_test<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    not_in_init(call, "VU")?;
    number(call, call.vu().ids.in_test as f64)
}

fn vu_iteration_instance<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    not_in_init(call, "VU")?;
    number(call, iteration(call).map_or(0, |it| it.in_vu) as f64)
}

fn vu_iteration_scenario<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    not_in_init(call, "VU")?;
    number(
        call,
        iteration(call).map_or(0, |it| it.in_vu_scenario) as f64,
    )
}

fn abort<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let said = with_reason("test aborted", &call.arg(0));
    Err(call.vu().abort(call.ctx, said))
}

/// The text with the reason that a script gives, if it does.
fn with_reason(said: &str, reason: &Value<'_>) -> String {
    match reason.is_undefined() {
        true => said.to_owned(),
        false => format!("{said}: {}", exception::headline(reason)),
    }
}

fn fail<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let vu = call.vu();
    if vu.is_init() {
        return Err(plain("execution.test.fail() called outside of VU context"));
    }
    vu.run.mark_failed();
    vu.logger
        .error(&with_reason("test marked as failed", &call.arg(0)));
    Ok(call.undefined())
}

fn options<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    if call.vu().is_init() {
        return Err(plain(
            "getting test options in the init context is not supported",
        ));
    }
    let value = convert::from_json_value(call.ctx, call.vu().run.options_json())?;
    convert::freeze(&value)?;
    Ok(value)
}

/// The tags as an object that applies changes. It is a proxy, since any key can be set.
fn metric_tags<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    not_in_init(call, "VU")?;
    let target = Object::new(call.ctx.clone())?;
    for (name, value) in call.vu().tags().tags().iter() {
        target.set(name, value)?;
    }
    proxy(call, &target, set_tag, delete_tag)
}

fn metric_metadata<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    not_in_init(call, "VU")?;
    let target = Object::new(call.ctx.clone())?;
    if let Some(metadata) = call.vu().tagging.metadata.borrow().as_ref() {
        for (name, value) in metadata.iter() {
            target.set(name, value)?;
        }
    }
    proxy(call, &target, set_metadata, delete_metadata)
}

fn proxy<'js, S, D>(call: &Call<'_, 'js>, target: &Object<'js>, set: S, delete: D) -> Outcome<'js>
where
    S: script_engine::native::Native,
    D: script_engine::native::Native,
{
    let handler = Object::new(call.ctx.clone())?;
    define(
        &handler,
        c"set",
        function(call.ctx, set, c"set", Shape::Function)?.into_value(),
        Visible::Yes,
    )?;
    define(
        &handler,
        c"deleteProperty",
        function(call.ctx, delete, c"deleteProperty", Shape::Function)?.into_value(),
        Visible::Yes,
    )?;
    convert::proxy(target, &handler)
}

/// Name and text of an assigned tag or metadata.
fn assigned(call: &Call<'_, '_>, what: tags::ValueUse) -> Result<(String, String), Throw> {
    if call.arg(1).is_symbol() {
        let why = "Dynamic objects do not support Symbol properties";
        return Err(Throw::Type(why.to_owned()));
    }
    let name = call.text(1)?;
    match tags::text_as(&name, &call.arg(2), what) {
        Ok(value) => Ok((name, value)),
        Err(Throw::Plain(message)) => Err(Throw::Type(message)),
        Err(other) => Err(other),
    }
}

fn set_tag<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let ((name, value), vu) = (assigned(call, tags::ValueUse::Tag)?, call.vu());
    if let Some(target) = call.arg(0).as_object() {
        target.set(name.as_str(), value.as_str())?;
    }
    vu.replace_base(vu.recorder.extend(&vu.base(), &[(&name, &value)]));
    Ok(call.bool(true))
}

fn delete_tag<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (name, vu) = (call.text(1)?, call.vu());
    let mut tags: Tags = vu.base().tags().clone();
    tags.remove(&name);
    vu.replace_base(vu.recorder.intern(tags));
    remove(call, &name)
}

fn set_metadata<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (name, value) = assigned(call, tags::ValueUse::Metadata)?;
    let mut slot = call.vu().tagging.metadata.borrow_mut();
    let mut pairs = slot.as_deref().cloned().unwrap_or_default();
    pairs.set(&name, &value);
    *slot = Some(Arc::new(pairs));
    drop(slot);
    Ok(call.bool(true))
}

fn delete_metadata<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let name = call.text(1)?;
    let mut slot = call.vu().tagging.metadata.borrow_mut();
    if let Some(pairs) = slot.as_mut() {
        Arc::make_mut(pairs).remove(&name);
    }
    drop(slot);
    remove(call, &name)
}

fn remove<'js>(call: &Call<'_, 'js>, name: &str) -> Outcome<'js> {
    if let Some(target) = call.arg(0).as_object() {
        target.remove(name)?;
    }
    Ok(call.bool(true))
}
