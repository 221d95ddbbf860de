//! Calls with any number of arguments: with a spread argument, by `apply` and by `Reflect`. Calls of members with a
//! computed name, and what is spread into an object.

use std::ffi::CStr;

use script_engine::calls::{apply, construct, is_too_long, pass_on, pass_to_parent};
use script_engine::convert;
use script_engine::isolate;
use script_engine::native::{Call, Native, Shape, function};
use script_engine::property::{Visible, define, define_length, delete};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Array, Ctx, Function, Object, Value};
use script_formats::many::FUNCTIONS;

use super::refusal;

/// The module of the functions that rewritten scripts call (`script_formats::many`).
pub(crate) fn build<'js>(ctx: &Ctx<'js>) -> Outcome<'js> {
    let exports = Object::new(ctx.clone())?;
    for (name, value) in FUNCTIONS.into_iter().zip(all(ctx)?) {
        exports.set(name, value)?;
    }
    Ok(exports.into_value())
}

/// The functions in their order, the same for all VUs. Stacks do not show them.
pub(crate) fn all<'js>(ctx: &Ctx<'js>) -> Result<Vec<Value<'js>>, Throw> {
    isolate::shared_data(ctx, "calls", || {
        let call = function(ctx, spread_call, c"\x01call", Shape::Function)?;
        let construct = function(ctx, spread_construct, c"\x01construct", Shape::Function)?;
        let named = function(ctx, named_call, c"\x01named", Shape::Function)?;
        let members = function(ctx, members, c"\x01members", Shape::Function)?;
        let parent = function(ctx, parent, c"\x01parent", Shape::Function)?;
        let remove = function(ctx, remove, c"\x01remove", Shape::Function)?;
        Ok(vec![
            call.into_value(),
            construct.into_value(),
            named.into_value(),
            members.into_value(),
            parent.into_value(),
            remove.into_value(),
        ])
    })
}

/// Replaces the functions of the engine that take a list of arguments, and those whose messages name a property.
pub(super) fn install(globals: &Object<'_>) -> Result<(), Throw> {
    let function: Object<'_> = globals.get("Function")?;
    let prototype: Object<'_> = function.get("prototype")?;
    replace(&prototype, c"apply", function_apply, 2)?;
    let reflect: Object<'_> = globals.get("Reflect")?;
    replace(&reflect, c"apply", reflect_apply, 3)?;
    replace(&reflect, c"construct", reflect_construct, 2)?;
    refusal::install(globals)
}

fn replace<N: Native>(
    object: &Object<'_>,
    name: &CStr,
    native: N,
    length: i32,
) -> Result<(), Throw> {
    let made = function(object.ctx(), native, name, Shape::Function)?;
    define_length(&made, length)?;
    Ok(define(object, name, made.into_value(), Visible::No)?)
}

/// `call(this, function, list, name)`
fn spread_call<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let function = call.arg(1);
    if !function.is_function() {
        let name = (call.count() > 3).then(|| call.arg(3));
        return Err(no_function(&function, name.as_ref()));
    }
    apply(&function, &call.arg(0), &list(call, 2)?)
}

/// `construct(constructor, list)`
fn spread_construct<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let constructor = call.arg(0);
    construct(&constructor, &constructor, &list(call, 1)?)
}

/// `named(this, function, name, ...arguments)`
fn named_call<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let function = call.arg(1);
    if !function.is_function() {
        return Err(no_function(&function, Some(&call.arg(2))));
    }
    pass_on(call, 3, &function, &call.arg(0))
}

/// `members(value)`: what a spread of the value into an object takes its members from.
fn members<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let value = call.arg(0);
    match value.is_string() {
        true => convert::object(&value),
        false => Ok(value),
    }
}

/// `parent(list, target, is_class)`: the arguments with which a constructor then calls `super`. `is_class` tells whether a
/// parent of the target is the class of the constructor.
fn parent<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let list = list(call, 0)?;
    if !is_too_long(&list)? {
        return Ok(list.into_value());
    }
    let is_class: Function<'js> = Function::from_value(call.arg(2))?;
    let mut class = call.arg(1).into_object();
    while let Some(one) = class {
        if is_class.call((one.clone(),))? {
            return Ok(match pass_to_parent(&one, &list)? {
                true => Array::new(call.ctx.clone())?.into_value(),
                false => list.into_value(),
            });
        }
        class = one.get_prototype();
    }
    Ok(list.into_value())
}

/// `remove(object, key)`
fn remove<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let key = call.arg(1);
    let object = Object::from_value(convert::object(&call.arg(0))?)?;
    match delete(&object, &key)? {
        true => Ok(call.bool(true)),
        false => Err(Throw::Type(refusal::of_deletion(&object, &key))),
    }
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
