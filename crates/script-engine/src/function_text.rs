//! The engine's own `Function.prototype.toString`, and the places of functions, for a function that replaces it.
//!
//! Compiled code does not contain the text of its functions, of which every VU would have a copy. The host has the text
//! of each module, and finds a function in it by its place.

use rquickjs::{Array, Ctx, Function, Object, Value, qjs};

use super::convert;
use super::host::resident;
use super::property::{Visible, define};
use super::throw::{Outcome, Throw};

/// The engine's functions: `toString`, and the getters of a function's place. k6's engine does not have the latter.
const ENGINES: &str = "() => { const of = Function.prototype; return [of.toString, ...['fileName', 'lineNumber', 'columnNumber'].map((name) => { const { get } = Object.getOwnPropertyDescriptor(of, name); delete of[name]; return get; })]; }";

/// The functions in that order. Their replacement keeps them alive.
#[derive(Clone, Copy)]
pub(crate) struct Engines {
    text: qjs::JSValue,
    file: qjs::JSValue,
    line: qjs::JSValue,
    column: qjs::JSValue,
}

/// Replaces `Function.prototype.toString` by a function; [`engines`] still calls the original.
///
/// # Errors
/// The realm has no `Function`.
pub fn replace<'js>(ctx: &Ctx<'js>, own: Function<'js>) -> Result<(), Throw> {
    let find: Function<'js> = ctx.eval(ENGINES)?;
    let found: Array<'js> = find.call(())?;
    let raw = |at: usize| -> Result<qjs::JSValue, Throw> {
        let function: Value<'js> = found.get(at)?;
        Ok(function.as_raw())
    };
    let engines = Engines {
        text: raw(0)?,
        file: raw(1)?,
        line: raw(2)?,
        column: raw(3)?,
    };
    resident(ctx).classes.function_text.set(Some(engines));
    // The originals live as long as their only user, and refer to nothing of a VU.
    define(&own, c"engines", found.into_value(), Visible::No)?;
    let function: Object<'js> = ctx.globals().get("Function")?;
    let prototype: Object<'js> = function.get("prototype")?;
    Ok(define(
        &prototype,
        c"toString",
        own.into_value(),
        Visible::No,
    )?)
}

/// The text of a function as the engine gives it: the source of code that was compiled at run time, otherwise none.
///
/// # Errors
/// Reading the name of the function throws.
pub fn engines<'js>(function: &Value<'js>) -> Outcome<'js> {
    let engines = resident(function.ctx()).classes.function_text.get();
    let engines = engines.ok_or_else(|| Throw::Type("toString is missing".to_owned()))?;
    call(engines.text, function)
}

/// The file, line and column of a function of a module, as in stacks. `None` for natives.
pub fn place(function: &Value<'_>) -> Option<(String, u32, u32)> {
    let engines = resident(function.ctx()).classes.function_text.get()?;
    let read = |getter| call(getter, function).ok();
    let file = read(engines.file)?;
    let number = |getter| u32::try_from(read(getter)?.as_int()?).ok();
    let (line, column) = (number(engines.line)?, number(engines.column)?);
    let file = file.is_string().then(|| convert::to_text(&file).ok());
    Some((file.flatten()?, line, column))
}

/// Whether a value is a `Proxy`.
pub fn is_proxy(value: &Value<'_>) -> bool {
    // SAFETY: a live value.
    unsafe { qjs::JS_IsProxy(value.as_raw()) }
}

/// The result of a function of the engine for this `this`.
fn call<'js>(function: qjs::JSValue, this: &Value<'js>) -> Outcome<'js> {
    let ctx = this.ctx();
    // SAFETY: the function is a property of the replacement, which lives as long as the realm; the value owns the
    // result.
    unsafe {
        let raw = ctx.as_raw().as_ptr();
        let value = qjs::JS_Call(raw, function, this.as_raw(), 0, std::ptr::null_mut());
        match qjs::JS_IsException(value) {
            true => Err(Throw::Engine(rquickjs::Error::Exception)),
            false => Ok(Value::from_raw(ctx.clone(), value)),
        }
    }
}
