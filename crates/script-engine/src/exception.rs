//! Exceptions that scripts throw: their stacks, and their text as k6 logs it.

use rquickjs::{Ctx, Object, Value, qjs};

use super::convert;
use super::host::{Resident, resident};
use super::native::{self, Call, Shape};
use super::property::{self, Visible, define};
use super::raise::raise;
use super::throw::{Outcome, Throw, plain};

/// Takes the pending exception.
///
/// # Errors
/// The interrupt, if that is what is pending.
pub fn take<'js>(ctx: &Ctx<'js>) -> Result<Value<'js>, Value<'js>> {
    let error = ctx.catch();
    // SAFETY: the value is alive.
    match unsafe { qjs::JS_IsUncatchableError(error.as_raw()) } {
        true => Err(error),
        false => Ok(error),
    }
}

/// Defines `stack` as k6's engine does: the error's text, then the frames, with places in the author's files
/// where there are source maps. It is computed only when it is read.
///
/// # Errors
/// The realm has no `stack` accessor.
pub fn install(ctx: &Ctx<'_>) -> Result<(), Throw> {
    let find: rquickjs::Function<'_> =
        ctx.eval("() => Object.getOwnPropertyDescriptor(Error.prototype, 'stack')")?;
    let own: Object<'_> = find.call(())?;
    let (engines, setter): (Value<'_>, Value<'_>) = (own.get("get")?, own.get("set")?);
    let getter = native::function(ctx, stack, c"get stack", Shape::Function)?;
    // It lives as long as its users, and refers to nothing of a VU.
    define(&getter, c"engines", engines.clone(), Visible::No)?;
    let getter_slot = &resident(ctx).classes.stack_getter;
    getter_slot.set(Some(engines.as_raw()));
    let error: Object<'_> = ctx.globals().get("Error")?;
    let prototype: Object<'_> = error.get("prototype")?;
    let to_string = native::function(ctx, error_text, c"toString", Shape::Function)?;
    define(&prototype, c"toString", to_string.into_value(), Visible::No)?;
    let accessor = property::Accessor {
        get: getter.into_value(),
        set: Some(setter),
    };
    Ok(property::define_accessor(
        &prototype,
        c"stack",
        accessor,
        Visible::No,
    )?)
}

fn stack<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let this = call.this();
    let frames = engines_stack(&this)?;
    if !frames.is_string() {
        return Ok(frames);
    }
    let resident = resident(call.ctx);
    let mut text = headline(&this) + "\n";
    for frame in convert::to_text(&frames)?.lines().filter_map(frame) {
        text.push_str("\tat ");
        text.push_str(&relocate(&frame, resident));
        text.push('\n');
    }
    call.string(&text)
}

/// The engine's own `stack` of a value.
fn engines_stack<'js>(of: &Value<'js>) -> Outcome<'js> {
    let ctx = of.ctx();
    let Some(engines) = resident(ctx).classes.stack_getter.get() else {
        return Ok(Value::new_undefined(ctx.clone()));
    };
    // SAFETY: the getter is a property of ours, which lives as long as the realm; the result is owned by the value.
    unsafe {
        let raw = ctx.as_raw().as_ptr();
        let stack = qjs::JS_Call(raw, engines, of.as_raw(), 0, std::ptr::null_mut());
        if qjs::JS_IsException(stack) {
            return Err(Throw::Engine(rquickjs::Error::Exception));
        }
        Ok(Value::from_raw(ctx.clone(), stack))
    }
}

/// `Error.prototype.toString`, which replaces the engine's messages by those of the host and stores them in the
/// error.
fn error_text<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let this = call.this();
    let Some(error) = this.as_object() else {
        return Err(Throw::Type("not an object".to_owned()));
    };
    if this.is_error() {
        reword(error)?;
    }
    let part = |key: &str, default: &str| {
        let value: Value<'js> = error.get(key)?;
        match value.is_undefined() {
            true => Ok(default.to_owned()),
            false => convert::to_text(&value),
        }
    };
    let (name, message) = (part("name", "Error")?, part("message", "")?);
    call.string(&match (name.as_str(), message.as_str()) {
        ("", text) | (text, "") => text.to_owned(),
        (name, message) => format!("{name}: {message}"),
    })
}

fn reword(error: &Object<'_>) -> Result<(), Throw> {
    let own: Value<'_> = error.get("message")?;
    let Some(message) = own.as_string().and_then(|text| text.to_string().ok()) else {
        return Ok(());
    };
    let stack = engines_stack(error.as_value())?;
    let stack = match stack.is_string() {
        true => convert::to_text(&stack)?,
        false => String::new(),
    };
    let place = stack.lines().find_map(place_of);
    let place = place.as_ref();
    let place = place.map(|(file, line, column)| (file.as_str(), *line, *column));
    let reworded = resident(error.ctx()).host.reworded(&message, place);
    if let Some(reworded) = reworded {
        let text = convert::string(error.ctx(), &reworded)?;
        define(error, c"message", text, Visible::No)?;
    }
    Ok(())
}

/// File, line and column of a line of the engine's stack; `None` for native code.
fn place_of(line: &str) -> Option<(String, u32, u32)> {
    let line = frame(line)?;
    let place = match line.rsplit_once(" (") {
        Some((_, place)) => place.trim_end_matches(')'),
        None => &line,
    };
    let mut parts = place.rsplitn(3, ':');
    let (column, row) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((parts.next()?.to_owned(), row, column))
}

/// A frame with the place of the author's file: `name (file:///x.js:1:2)`, or the place alone.
fn relocate(frame: &str, resident: &Resident) -> String {
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
    let (file, line, column) = resident.host.original_place(file, line, column);
    format!("{before}{file}:{line}:{column}{after}")
}

/// The exception as k6 logs it: `Name: message` and one tabbed line per frame.
pub fn describe(error: &Value<'_>) -> String {
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

/// The place that script code has reached: `name (file:///x.js:1:2)`.
pub fn place(ctx: &Ctx<'_>) -> Option<String> {
    raise(ctx, plain(""));
    let stack: Value<'_> = ctx.catch().as_object()?.get("stack").ok()?;
    let stack = convert::to_text(&stack).ok()?;
    stack
        .lines()
        .filter_map(frame)
        .find(|frame| frame.contains("://"))
}

/// `String(error)`, whatever it is.
pub fn headline(error: &Value<'_>) -> String {
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

/// `    at name (file:///x.js:1:2)` without its indentation; names that the engine made up are left out.
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
