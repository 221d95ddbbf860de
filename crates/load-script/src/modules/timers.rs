//! `k6/timers`, and the same functions as globals.

use std::time::Duration;

use rquickjs::{Ctx, Function, Object, Value};

use crate::js::convert;
use crate::js::native::{Call, Outcome, Throw, method, plain};

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    install(&exports)?;
    Ok(exports)
}

/// Sets the four functions on an object.
pub(super) fn install(target: &Object<'_>) -> rquickjs::Result<()> {
    method(target, c"setTimeout", set_timeout)?;
    method(target, c"clearTimeout", clear)?;
    method(target, c"setInterval", set_interval)?;
    method(target, c"clearInterval", clear)
}

fn set_timeout<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    set(call, false)
}

fn set_interval<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    set(call, true)
}

fn set<'js>(call: &Call<'_, 'js>, repeats: bool) -> Outcome<'js> {
    let name = if repeats { "setInterval" } else { "setTimeout" };
    let callback = callback(&call.arg(0))?
        .ok_or_else(|| plain(format!("{name}'s callback isn't a callable function")))?;
    let milliseconds = call
        .given(1)
        .map_or(Ok(0.0), |delay| convert::to_number(&delay))?;
    // What is no number is a time long ago for k6, at least when it is waited for once.
    let delay = (repeats || !milliseconds.is_nan())
        .then(|| Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default());
    let arguments: Vec<Value<'js>> = (2..call.len()).map(|index| call.arg(index)).collect();
    let number = call
        .vu()
        .events
        .set_timer((&callback, arguments), delay, repeats);
    Ok(convert::number(call.ctx, number as f64))
}

/// The function that an argument is; `None` when it is not there.
///
/// # Errors
/// When it is anything else, in k6's words.
pub(super) fn callback<'js>(value: &Value<'js>) -> Result<Option<Function<'js>>, Throw> {
    if value.is_undefined() || value.is_null() {
        return Ok(None);
    }
    if let Some(function) = convert::function(value) {
        return Ok(Some(function));
    }
    let shown = convert::to_text(value)?;
    Err(Throw::Type(format!(
        "could not convert function call parameter 0: could not convert {shown} to sobek.Callable"
    )))
}

fn clear<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    if let Some(number) = call.given(0) {
        call.vu()
            .events
            .clear_timer(convert::to_number(&number)? as u64);
    }
    Ok(call.undefined())
}
