//! New errors: their frames, and their message in the words of the host.
//!
//! The engine asks `Error.prepareStackTrace` for the stack of every new error before any script sees it. Here it
//! is not a function but another kind of callable object: the engine calls those without checking the stack, so
//! that an error about an exhausted stack has its frames too. The frames become text only when `stack` is read.

use std::ffi::{CStr, c_int};
use std::ptr::{self, NonNull};

use rquickjs::{Ctx, Object, Value, qjs};

use super::class::{self, Class};
use super::convert;
use super::host::ErrorOrigin;
use super::isolate;
use super::property::{Visible, define};
use super::throw::Throw;
use super::turn;

/// Frames of an error: as many as the engine has room for.
const FRAMES: i32 = 64;

/// The first character of the names of functions that no stack shows.
pub const HIDDEN: char = '\u{1}';

/// The name of text that is parsed as JSON. Its places are not shown either.
const JSON: &str = "<input>";

/// The object that the engine calls.
struct Observer;

impl Class for Observer {
    const NAME: &'static CStr = c"Observer";

    fn call() -> qjs::JSClassCall {
        Some(on_new_error)
    }

    fn prototype(_: &Object<'_>) -> rquickjs::Result<()> {
        Ok(())
    }
}

/// A line of a stack.
pub(crate) struct Frame {
    pub(crate) function: Option<String>,
    /// File, line and column; native functions have none.
    pub(crate) place: Option<(String, u32, u32)>,
}

impl Frame {
    fn is_hidden(&self) -> bool {
        let function = self.function.as_deref().unwrap_or_default();
        let file = self.place.as_ref().map(|(file, ..)| file.as_str());
        function.starts_with(HIDDEN) || file == Some(JSON)
    }
}

/// Makes the engine report each new error in the realm.
///
/// # Errors
/// The realm has no `Error`.
pub(crate) fn install(ctx: &Ctx<'_>) -> Result<(), Throw> {
    let error: Object<'_> = ctx.globals().get("Error")?;
    error.set("stackTraceLimit", FRAMES)?;
    Ok(error.set("prepareStackTrace", class::new(ctx, Observer)?)?)
}

unsafe extern "C" fn on_new_error(
    ctx: *mut qjs::JSContext,
    _function: qjs::JSValue,
    _this: qjs::JSValue,
    count: c_int,
    arguments: *mut qjs::JSValue,
    _flags: c_int,
) -> qjs::JSValue {
    let (Some(raw), 2) = (NonNull::new(ctx), count) else {
        return qjs::JS_NULL;
    };
    // SAFETY: the engine calls with a live realm, the error and its frames.
    let (ctx, error, frames) = unsafe {
        let ctx = Ctx::from_raw(raw);
        let own = |at: usize| {
            let value = qjs::JS_DupValue(raw.as_ptr(), *arguments.add(at));
            Value::from_raw(ctx.clone(), value)
        };
        (ctx.clone(), own(0), own(1))
    };
    if let Some(error) = error.as_object().filter(|_| error.is_error()) {
        isolate::without_stack_limit(|| reword(error, &frames));
    }
    // Nothing here may affect the error that is being thrown.
    drop(ctx.catch());
    // SAFETY: the reference that the value owns goes to the engine.
    unsafe { qjs::JS_DupValue(raw.as_ptr(), frames.as_raw()) }
}

/// The frames of an error; `None` for a value that is not a list of frames.
pub(crate) fn frames<'js>(stack: &Value<'js>) -> Option<impl Iterator<Item = Frame> + 'js> {
    let sites = stack.as_array()?.clone().into_iter();
    let sites = sites.map_while(|site| Object::from_value(site.ok()?).ok());
    let frames = sites.map_while(|site| read_one(&site));
    let mut wrapped = None;
    Some(frames.filter(move |frame| {
        // A native function that calls the engine's function of its name has wrapped it.
        let own = frame.place.is_none().then(|| frame.function.clone());
        let is_wrapper = own.is_some() && own == wrapped;
        wrapped = own;
        !is_wrapper && !frame.is_hidden()
    }))
}

fn read_one(site: &Object<'_>) -> Option<Frame> {
    let ask = |name: &CStr| ask(site, name);
    let file = ask(c"getFileName")?;
    let place = match file.is_string() {
        true => {
            let number = |name: &CStr| Some(ask(name)?.as_int()?.try_into().unwrap_or(0));
            let (line, column) = (number(c"getLineNumber"), number(c"getColumnNumber"));
            let file = convert::to_text(&file).ok()?;
            Some((file, line.unwrap_or(0), column.unwrap_or(0)))
        }
        false => None,
    };
    let name = ask(c"getFunctionName")?;
    let function = name.is_string().then(|| convert::to_text(&name).ok());
    Some(Frame {
        function: function.flatten(),
        place,
    })
}

/// The result of a method without arguments.
fn ask<'js>(site: &Object<'js>, name: &CStr) -> Option<Value<'js>> {
    let ctx = site.ctx();
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: a live realm and object; the values own what the calls return.
    unsafe {
        let method = qjs::JS_GetPropertyStr(raw, site.as_raw(), name.as_ptr());
        let method = Value::from_raw(ctx.clone(), method);
        let answer = qjs::JS_Call(raw, method.as_raw(), site.as_raw(), 0, ptr::null_mut());
        (!qjs::JS_IsException(answer)).then(|| Value::from_raw(ctx.clone(), answer))
    }
}

/// Gives the error the host's message, if it has one.
fn reword(error: &Object<'_>, frames: &Value<'_>) {
    let message: rquickjs::Result<Value<'_>> = error.get("message");
    let message = message.ok().filter(Value::is_string);
    let Some(message) = message.and_then(|text| convert::to_text(&text).ok()) else {
        return;
    };
    let ctx = error.ctx();
    let read = || {
        let mut frames = self::frames(frames).into_iter().flatten();
        match frames.next() {
            Some(first) if first.place.is_none() => ErrorOrigin {
                native: Some(first.function.unwrap_or_default()),
                place: frames.find_map(|frame| frame.place),
            },
            first => ErrorOrigin {
                native: None,
                place: first.and_then(|first| first.place),
            },
        }
    };
    let reworded = turn::with(|resident| resident.host.reworded(&message, &read)).flatten();
    if let Some(Ok(text)) = reworded.map(|reworded| convert::string(ctx, &reworded)) {
        let _ = define(error, c"message", text, Visible::No);
    }
}
