//! `k6/timers`, and the same functions as globals.

use std::time::Duration;

use script_engine::convert;
use script_engine::native::{Call, method};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Function, Object, Value};

use crate::vu::state::Caller;

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    install(&exports)?;
    Ok(exports)
}

/// Sets the four functions on an object.
pub(super) fn install(target: &Object<'_>) -> script_engine::Result<()> {
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
    // For k6, a delay that is not a number is in the past, at least in `setTimeout`.
    let delay = (repeats || !milliseconds.is_nan())
        .then(|| Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default());
    let arguments: Vec<Value<'js>> = (2..call.count()).map(|index| call.arg(index)).collect();
    let number = call
        .vu()
        .events
        .set_timer(&callback, arguments, delay, repeats);
    Ok(convert::number(call.ctx, number as f64))
}

/// The function that an argument is; `None` when it is missing.
///
/// # Errors
/// The argument is anything else; the error is in k6's words.
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
