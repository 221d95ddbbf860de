//! Exceptions that scripts throw: their stacks, and their text as k6 logs it.

use rquickjs::{Ctx, Object, Value, qjs};

use super::convert;
use super::host::{Resident, resident};
use super::native::{self, Call, Shape};
use super::new_error::{self, Frame};
use super::property::{self, Visible, define};
use super::raise::raise;
use super::throw::{Outcome, Throw, plain};

/// Takes the pending exception.
///
/// # Errors
/// The pending exception is the interrupt.
pub fn take<'js>(ctx: &Ctx<'js>) -> Result<Value<'js>, Value<'js>> {
    let error = ctx.catch();
    // SAFETY: the value is alive.
    match unsafe { qjs::JS_IsUncatchableError(error.as_raw()) } {
        true => Err(error),
        false => Ok(error),
    }
}

/// Defines `stack` as k6's engine does: the error's text, then the frames, with places in the author's files if
/// there are source maps. It is computed only when it is read.
///
/// # Errors
/// The realm has no `stack` accessor.
pub fn install(ctx: &Ctx<'_>) -> Result<(), Throw> {
    let find: rquickjs::Function<'_> =
        ctx.eval("() => Object.getOwnPropertyDescriptor(Error.prototype, 'stack')")?;
    let own: Object<'_> = find.call(())?;
    let (engines, setter): (Value<'_>, Value<'_>) = (own.get("get")?, own.get("set")?);
    let getter = native::function(ctx, stack, c"get stack", Shape::Function)?;
    // The function lives as long as its users, and refers to nothing of a VU.
    define(&getter, c"engines", engines.clone(), Visible::No)?;
    let getter_slot = &resident(ctx).classes.stack_getter;
    getter_slot.set(Some(engines.as_raw()));
    new_error::install(ctx)?;
    let error: Object<'_> = ctx.globals().get("Error")?;
    let prototype: Object<'_> = error.get("prototype")?;
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
    let engines = engines_stack(&this)?;
    let Some(frames) = new_error::frames(&engines) else {
        return Ok(engines);
    };
    let resident = resident(call.ctx);
    let mut text = headline(&this) + "\n";
    for frame in frames {
        text.push_str("\tat ");
        text.push_str(&shown(&frame, resident));
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
    // SAFETY: the getter is a property of this crate's function, which lives as long as the realm; the result is
    // owned by the value.
    unsafe {
        let raw = ctx.as_raw().as_ptr();
        let stack = qjs::JS_Call(raw, engines, of.as_raw(), 0, std::ptr::null_mut());
        if qjs::JS_IsException(stack) {
            return Err(Throw::Engine(rquickjs::Error::Exception));
        }
        Ok(Value::from_raw(ctx.clone(), stack))
    }
}

/// A frame with the place of the author's file: `name (file:///x.js:1:2)`, or the place alone.
fn shown(frame: &Frame, resident: &Resident) -> String {
    let place = match &frame.place {
        Some((file, line, column)) => {
            let (file, line, column) = resident.host.original_place(file, *line, *column);
            format!("{file}:{line}:{column}")
        }
        None => "native".to_owned(),
    };
    match frame.function.as_deref().filter(|name| !is_made_up(name)) {
        Some(name) => format!("{name} ({place})"),
        None => place,
    }
}

/// Whether the engine gives this name to code that has none.
fn is_made_up(function: &str) -> bool {
    matches!(function, "<anonymous>" | "<eval>" | "<module>")
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

/// Whether a description is that of the engine's exception when it gets no memory, or contains it. The engine tells it
/// by its text alone.
pub fn is_out_of_memory(described: &str) -> bool {
    described.contains("InternalError: out of memory")
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

/// A call in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The file that contains the calling code.
    File(String),
    /// A native function.
    Native(String),
}

/// The calls in progress, from the innermost to the outermost, as many as a stack shows.
pub fn callers(ctx: &Ctx<'_>) -> Vec<Caller> {
    raise(ctx, plain(""));
    let Ok(engines) = engines_stack(&ctx.catch()) else {
        drop(ctx.catch());
        return Vec::new();
    };
    let frames = new_error::frames(&engines).into_iter().flatten();
    let callers = frames.map(|frame| match frame.place {
        Some((file, ..)) => Caller::File(file),
        None => Caller::Native(frame.function.unwrap_or_default()),
    });
    callers.collect()
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

/// A line of a stack without its indentation.
fn frame(line: &str) -> Option<String> {
    Some(line.trim().strip_prefix("at ")?.to_owned())
}
