//! Exceptions: raising them from Rust, and their text as k6 logs it.

use std::ffi::CString;

use rquickjs::{Ctx, Object, Value, qjs};

use super::convert;
use super::native::{self, Call, Outcome, Shape, Throw, Visible, define};
use crate::script::Script;

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

/// Takes the pending exception.
///
/// # Errors
/// The interrupt, when it is that.
pub(crate) fn take<'js>(ctx: &Ctx<'js>) -> Result<Value<'js>, Value<'js>> {
    let error = ctx.catch();
    // SAFETY: the value is alive.
    match unsafe { qjs::JS_IsUncatchableError(error.as_raw()) } {
        true => Err(error),
        false => Ok(error),
    }
}

/// Makes `stack` what it is for k6's engine: the error's text, then the frames, with the places of the
/// author's files where there are source maps. It costs nothing until somebody asks.
///
/// # Errors
/// When the realm has no `stack` to begin with.
pub(crate) fn install(ctx: &Ctx<'_>) -> Result<(), Throw> {
    let find: rquickjs::Function<'_> =
        ctx.eval("() => Object.getOwnPropertyDescriptor(Error.prototype, 'stack')")?;
    let own: Object<'_> = find.call(())?;
    let (engines, setter): (Value<'_>, Value<'_>) = (own.get("get")?, own.get("set")?);
    let getter = native::function(ctx, stack, c"get stack", Shape::Function)?;
    // It lives as long as what uses it, and keeps nothing of a VU's.
    define(&getter, c"engines", engines.clone(), Visible::No)?;
    let getter_slot = &native::state(ctx).classes.stack_getter;
    getter_slot.set(Some(engines.as_raw()));
    let error: Object<'_> = ctx.globals().get("Error")?;
    let prototype: Object<'_> = error.get("prototype")?;
    let both = (getter.into_value(), Some(setter));
    Ok(native::define_accessor(
        &prototype,
        c"stack",
        both,
        Visible::No,
    )?)
}

fn stack<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let Some(engines) = call.vu().classes.stack_getter.get() else {
        return Ok(call.undefined());
    };
    let this = call.this();
    // SAFETY: the function is a property of the one that runs; the result is owned by the value.
    let frames = unsafe {
        let ctx = call.ctx.as_raw().as_ptr();
        let raw = qjs::JS_Call(ctx, engines, this.as_raw(), 0, std::ptr::null_mut());
        if qjs::JS_IsException(raw) {
            return Err(Throw::Engine(rquickjs::Error::Exception));
        }
        Value::from_raw(call.ctx.clone(), raw)
    };
    if !frames.is_string() {
        return Ok(frames);
    }
    let mut text = headline(&this) + "\n";
    for frame in convert::to_text(&frames)?.lines().filter_map(frame) {
        text.push_str("\tat ");
        text.push_str(&relocate(&frame, &call.vu().script));
        text.push('\n');
    }
    call.string(&text)
}

/// A frame with the place of the author's file: `name (file:///x.js:1:2)`, or the place alone.
fn relocate(frame: &str, script: &Script) -> String {
    let (before, place, after) = match frame.rsplit_once(" (") {
        Some((name, place)) if place.ends_with(')') => {
            (format!("{name} ("), &place[..place.len() - 1], ")")
        }
        _ => (String::new(), frame, ""),
    };
    let mut parts = place.rsplitn(3, ':');
    let mut number = || parts.next().and_then(|text| text.parse().ok());
    let (column, line) = (number(), number());
    let (Some(column), Some(line), Some(file)) = (column, line, parts.next()) else {
        return frame.to_owned();
    };
    let (file, line, column) = script.original(file, line, column);
    format!("{before}{file}:{line}:{column}{after}")
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
    // The error's own text may look like frames.
    let frames = frames.strip_prefix(&headline).unwrap_or(&frames);
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
