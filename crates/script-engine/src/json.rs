//! The engine's own `JSON.parse`, for functions that replace it.

use rquickjs::{Ctx, Function, Object, Value, qjs};

use super::host::resident;
use super::property::{Visible, define};
use super::throw::{Outcome, Throw};

/// Replaces `JSON.parse` by a function; [`parse`] still calls the original.
///
/// # Errors
/// The realm has no `JSON`.
pub fn replace_parse<'js>(ctx: &Ctx<'js>, own: Function<'js>) -> Result<(), Throw> {
    let json: Object<'js> = ctx.globals().get("JSON")?;
    let engines: Value<'js> = json.get("parse")?;
    resident(ctx).classes.json_parse.set(Some(engines.as_raw()));
    // The original lives as long as its only user, and refers to nothing of a VU.
    define(&own, c"engines", engines, Visible::No)?;
    Ok(define(&json, c"parse", own.into_value(), Visible::No)?)
}

/// `JSON.parse(text, reviver)` of the engine.
///
/// # Errors
/// The text is malformed, or the reviver throws.
pub fn parse<'js>(ctx: &Ctx<'js>, text: &Value<'js>, reviver: &Value<'js>) -> Outcome<'js> {
    let engines = resident(ctx).classes.json_parse.get();
    let mut arguments = [text.as_raw(), reviver.as_raw()];
    let engines = engines.ok_or_else(|| Throw::Type("JSON.parse is missing".to_owned()))?;
    // SAFETY: the function is a property of the replacement, which lives as long as the realm; the value owns
    // the result.
    unsafe {
        let raw = ctx.as_raw().as_ptr();
        let value = qjs::JS_Call(raw, engines, qjs::JS_UNDEFINED, 2, arguments.as_mut_ptr());
        match qjs::JS_IsException(value) {
            true => Err(Throw::Engine(rquickjs::Error::Exception)),
            false => Ok(Value::from_raw(ctx.clone(), value)),
        }
    }
}
