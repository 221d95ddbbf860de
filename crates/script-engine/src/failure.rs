//! Functions of the engine whose errors have other messages, which need the arguments of the call.

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;

use rquickjs::{Ctx, Object, Value, qjs};

use super::convert;
use super::native::{Arguments, Call};
use super::property::{Visible, define, define_length};
use super::throw::Throw;

/// The message of a failed call in place of the engine's, if it has another one.
pub trait Reason: for<'a, 'js> Fn(&Call<'a, 'js>, &str) -> Option<String> + Copy + 'static {}

impl<R: for<'a, 'js> Fn(&Call<'a, 'js>, &str) -> Option<String> + Copy + 'static> Reason for R {}

/// Replaces a function of an object by one that does the same, but fails with the messages of `R`.
///
/// # Errors
/// The object has no such function.
pub fn reword<R: Reason>(holder: &Object<'_>, name: &CStr, _: R) -> Result<(), Throw> {
    const { assert!(size_of::<R>() == 0, "a reason must not capture") };
    let ctx = holder.ctx();
    let text = name.to_string_lossy();
    let original: Object<'_> = holder.get(text.as_ref())?;
    let length: i32 = original.get("length")?;
    let mut data = original.as_raw();
    // SAFETY: the function has a reference of its own to the original; the value owns the function.
    let made = unsafe {
        let raw = ctx.as_raw().as_ptr();
        let made = qjs::JS_NewCFunctionData(raw, Some(call::<R>), length, 0, 1, &raw mut data);
        Value::from_raw(ctx.clone(), made)
    };
    let function = Object::from_value(made)?;
    define_length(&function, length)?;
    define_name(&function, &text)?;
    Ok(define(holder, name, function.into_value(), Visible::No)?)
}

fn define_name(function: &Object<'_>, name: &str) -> Result<(), Throw> {
    let ctx = function.ctx().as_raw().as_ptr();
    let name = convert::string(function.ctx(), name)?;
    // SAFETY: a live object; the engine takes over the duplicate.
    unsafe {
        let name = qjs::JS_DupValue(ctx, name.as_raw());
        let flags = qjs::JS_PROP_CONFIGURABLE as c_int;
        qjs::JS_DefinePropertyValueStr(ctx, function.as_raw(), c"name".as_ptr(), name, flags);
    }
    Ok(())
}

unsafe extern "C" fn call<R: Reason>(
    ctx: *mut qjs::JSContext,
    this: qjs::JSValue,
    argc: c_int,
    argv: *mut qjs::JSValue,
    _magic: c_int,
    original: *mut qjs::JSValue,
) -> qjs::JSValue {
    // SAFETY: the engine calls with live values, `argc` of them at `argv`.
    unsafe {
        let result = qjs::JS_Call(ctx, *original, this, argc, argv);
        if !qjs::JS_IsException(result) {
            return result;
        }
        let raw = NonNull::new(ctx).expect("the engine calls with a realm");
        let ctx = Ctx::from_raw(raw);
        let error = ctx.catch();
        let call = Call::of(&ctx, this, Arguments { argc, argv }.values());
        // A reason has no size (checked where the function was made), and one was at hand then.
        let reason: &R = NonNull::dangling().as_ref();
        if let Some(error) = error.as_object().filter(|_| error.is_error()) {
            give_reason(error, |message| reason(&call, message));
        }
        ctx.throw(error);
        result
    }
}

fn give_reason(error: &Object<'_>, reason: impl FnOnce(&str) -> Option<String>) {
    let message: rquickjs::Result<Value<'_>> = error.get("message");
    let message = message.ok().and_then(|text| convert::to_text(&text).ok());
    let other = message.and_then(|message| reason(&message));
    if let Some(Ok(text)) = other.map(|text| convert::string(error.ctx(), &text)) {
        let _ = define(error, c"message", text, Visible::No);
    }
    // Nothing here may replace the error.
    drop(error.ctx().catch());
}
