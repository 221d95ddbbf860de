//! Calls with any number of arguments: with a spread argument, by `apply` and by `Reflect`.

use std::ffi::CStr;

use script_engine::calls::{apply, construct};
use script_engine::convert;
use script_engine::isolate;
use script_engine::native::{Call, Native, Shape, function};
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Ctx, Object, Value};

/// The module of the functions that replace calls with a spread argument (`script_formats::many`).
pub(crate) fn build<'js>(ctx: &Ctx<'js>) -> Outcome<'js> {
    let exports = Object::new(ctx.clone())?;
    for (name, value) in ["call", "construct"].into_iter().zip(both(ctx)?) {
        exports.set(name, value)?;
    }
    Ok(exports.into_value())
}

/// The two functions, the same for all VUs. Stacks do not show them.
pub(crate) fn both<'js>(ctx: &Ctx<'js>) -> Result<Vec<Value<'js>>, Throw> {
    isolate::shared_data(ctx, "calls", || {
        let call = function(ctx, spread_call, c"\x01call", Shape::Function)?;
        let construct = function(ctx, spread_construct, c"\x01construct", Shape::Function)?;
        Ok(vec![call.into_value(), construct.into_value()])
    })
}

/// Replaces the functions of the engine that take a list of arguments.
pub(super) fn install(globals: &Object<'_>) -> Result<(), Throw> {
    let function: Object<'_> = globals.get("Function")?;
    let prototype: Object<'_> = function.get("prototype")?;
    replace(&prototype, c"apply", function_apply)?;
    let reflect: Object<'_> = globals.get("Reflect")?;
    replace(&reflect, c"apply", reflect_apply)?;
    replace(&reflect, c"construct", reflect_construct)
}

fn replace<N: Native>(object: &Object<'_>, name: &CStr, native: N) -> Result<(), Throw> {
    let made = function(object.ctx(), native, name, Shape::Function)?;
    Ok(define(object, name, made.into_value(), Visible::No)?)
}

/// `call(this, function, list, name)`
fn spread_call<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let function = call.arg(1);
    if !function.is_function() {
        return Err(no_function(&function, call.given(3).as_ref()));
    }
    apply(&function, &call.arg(0), &list(call, 2)?)
}

/// `construct(constructor, list)`
fn spread_construct<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let constructor = call.arg(0);
    construct(&constructor, &constructor, &list(call, 1)?)
}

/// `f.apply(this, list)`
fn function_apply<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let function = call.this();
    if !function.is_function() {
        return Err(no_function(&function, None));
    }
    let list = match call.given(1) {
        Some(_) => list(call, 1)?,
        None => Object::new(call.ctx.clone())?,
    };
    apply(&function, &call.arg(0), &list)
}

/// `Reflect.apply(f, this, list)`
fn reflect_apply<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let function = call.arg(0);
    if !function.is_function() {
        return Err(no_function(&function, None));
    }
    apply(&function, &call.arg(1), &list(call, 2)?)
}

/// `Reflect.construct(constructor, list, target)`
fn reflect_construct<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let constructor = call.arg(0);
    let target = match call.count() {
        0..=2 => constructor.clone(),
        _ => call.arg(2),
    };
    for value in [&constructor, &target] {
        if !value.is_constructor() {
            return Err(Throw::Type("Value is not a constructor".to_owned()));
        }
    }
    construct(&constructor, &target, &list(call, 1)?)
}

fn list<'js>(call: &Call<'_, 'js>, index: usize) -> Result<Object<'js>, Throw> {
    let value = call.arg(index);
    match value.as_object() {
        Some(list) => Ok(list.clone()),
        None => Err(no_function(&value, None)),
    }
}

/// The error about a value that cannot be called or is not a list, in the words of k6's engine. `name` is that of the member that
/// it was read from.
fn no_function<'js>(value: &Value<'js>, name: Option<&Value<'js>>) -> Throw {
    let text = |value: &Value<'js>| convert::to_text(value).unwrap_or_default();
    Throw::Type(match name {
        Some(name) if value.is_undefined() => format!("Object has no member '{}'", text(name)),
        _ if value.is_object() => format!("Not a function: {}", text(value)),
        _ => format!("Value is not an object: {}", text(value)),
    })
}
