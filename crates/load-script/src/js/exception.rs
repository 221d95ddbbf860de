//! Exceptions: raising them from Rust, and their text as k6 logs it.

use std::ffi::CString;

use rquickjs::{Ctx, Object, Value, qjs};

use super::convert;
use super::native::{Throw, Visible, define};

/// Makes `throw` the pending exception of the realm.
pub(crate) fn raise(ctx: &Ctx<'_>, throw: Throw) {
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

/// k6's own functions throw errors that call themselves `GoError` and carry a `value`.
fn raise_go_error(ctx: &Ctx<'_>, message: &str) {
    let text = CString::new(message.replace('\0', " ")).unwrap_or_default();
    // SAFETY: format and text are C strings; the exception is pending afterwards.
    unsafe { qjs::JS_ThrowPlainError(ctx.as_raw().as_ptr(), c"%s".as_ptr(), text.as_ptr()) };
    let error = ctx.catch();
    if let Some(object) = error.as_object() {
        // The engine's formatter cuts long texts; the property holds the whole.
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

/// Takes the pending exception; `None` when it is the interrupt.
pub(crate) fn take<'js>(ctx: &Ctx<'js>) -> Option<Value<'js>> {
    let error = ctx.catch();
    // SAFETY: the value is alive.
    let interrupted = unsafe { qjs::JS_IsUncatchableError(error.as_raw()) };
    (!interrupted).then_some(error)
}

/// The exception as k6 logs it: `Name: message` and one tabbed line per frame.
pub(crate) fn describe(error: &Value<'_>) -> String {
    let headline = headline(error);
    let frames = error
        .as_object()
        .and_then(|object| object.get::<_, Value<'_>>("stack").ok());
    let frames = frames
        .filter(Value::is_string)
        .and_then(|stack| convert::to_text(&stack).ok());
    let Some(frames) = frames else {
        return headline;
    };
    let mut text = format!("{headline}\n");
    for frame in frames.lines().filter_map(frame) {
        text.push_str("\tat ");
        text.push_str(&frame);
        text.push('\n');
    }
    text
}

/// Where script code is now: `name (file:///x.js:1:2)`.
pub(crate) fn place(ctx: &Ctx<'_>) -> Option<String> {
    raise_go_error(ctx, "");
    let stack: Value<'_> = ctx.catch().as_object()?.get("stack").ok()?;
    let stack = convert::to_text(&stack).ok()?;
    stack
        .lines()
        .filter_map(frame)
        .find(|frame| frame.contains("://"))
}

/// `String(error)`, whatever it is.
pub(crate) fn headline(error: &Value<'_>) -> String {
    if let Some(symbol) = error.as_symbol() {
        let description = symbol.description().and_then(|text| text.get::<String>());
        return description.unwrap_or_default();
    }
    if let Ok(text) = convert::to_text(error) {
        return text;
    }
    let _ = error.ctx().catch();
    "an exception that has no text".to_owned()
}

/// `    at name (file:///x.js:1:2)` without its indentation; names of the engine's own making go.
fn frame(line: &str) -> Option<String> {
    let line = line.trim().strip_prefix("at ")?;
    let anonymous = ["<anonymous> (", "<eval> (", "<module> ("];
    for prefix in anonymous {
        if let Some(place) = line.strip_prefix(prefix) {
            return Some(place.trim_end_matches(')').to_owned());
        }
    }
    Some(line.to_owned())
}
