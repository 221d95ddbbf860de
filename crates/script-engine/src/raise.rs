//! Raising exceptions from Rust.

use std::ffi::CString;

use rquickjs::{Ctx, Object, qjs};

use super::convert;
use super::property::{Visible, define};
use super::throw::Throw;

/// Makes `throw` the pending exception of the realm.
pub fn raise(ctx: &Ctx<'_>, throw: Throw) {
    match throw {
        Throw::Engine(rquickjs::Error::Exception) if ctx.has_exception() => {}
        Throw::Engine(error) => raise(ctx, Throw::Type(error.to_string())),
        Throw::Plain(message) => raise_go_error(ctx, &message),
        Throw::Type(message) => {
            let _ = rquickjs::Exception::throw_type(ctx, &message);
        }
        Throw::Interrupted => raise_interrupt(ctx),
    }
}

/// k6's own functions throw errors that are named `GoError` and have a `value`.
fn raise_go_error(ctx: &Ctx<'_>, message: &str) {
    let text = CString::new(message.replace('\0', " ")).unwrap_or_default();
    // SAFETY: format and text are C strings; the exception is pending afterwards.
    unsafe { qjs::JS_ThrowPlainError(ctx.as_raw().as_ptr(), c"%s".as_ptr(), text.as_ptr()) };
    let error = ctx.catch();
    if let Some(object) = error.as_object() {
        // The engine's formatter cuts long texts; the property holds the full text.
        if let Ok(whole) = convert::string(ctx, message) {
            let _ = define(object, c"message", whole, Visible::No);
        }
        if let Ok(name) = convert::string(ctx, "GoError") {
            let _ = define(object, c"name", name, Visible::No);
        }
        let inner = Object::new(ctx.clone());
        if let Ok(inner) = inner {
            let _ = define(object, c"value", inner.into_value(), Visible::Yes);
        }
    }
    let _ = ctx.throw(error);
}

/// An exception that no script code sees: neither `catch` nor `finally` runs.
fn raise_interrupt(ctx: &Ctx<'_>) {
    let _ = rquickjs::Exception::throw_internal(ctx, "interrupted");
    let error = ctx.catch();
    // SAFETY: the value is an error object of this realm.
    unsafe { qjs::JS_SetUncatchableError(ctx.as_raw().as_ptr(), error.as_raw()) };
    let _ = ctx.throw(error);
}
