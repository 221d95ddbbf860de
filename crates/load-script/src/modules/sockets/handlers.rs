//! The handlers of a socket's events: `on…` properties and listeners.

use std::ffi::{CStr, CString};

use load_engine::log::Level;
use script_engine::convert;
use script_engine::native::{Call, Shape, function};
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Object, Value};

use crate::vu::state::{Caller, now};

/// The properties and the events that they are called for.
pub(super) const EVENTS: [(&CStr, &str); 6] = [
    (c"onmessage", "message"),
    (c"onerror", "error"),
    (c"onopen", "open"),
    (c"onclose", "close"),
    (c"onping", "ping"),
    (c"onpong", "pong"),
];

fn listeners_key(kind: &str) -> String {
    format!("\x01listeners:{kind}")
}

fn handler_key(kind: &str) -> String {
    format!("\x01on:{kind}")
}

/// Calls the `on…` handler, then the listeners.
pub(super) fn fire<'js>(
    object: &Object<'js>,
    kind: &str,
    properties: &[(&str, Value<'js>)],
) -> Result<(), Throw> {
    let ctx = object.ctx();
    let event = Object::new(ctx.clone())?;
    event.set("type", kind)?;
    event.set("target", object.clone())?;
    event.set("timestamp", now().0 as f64 / 1e6)?;
    for (name, value) in properties {
        event.set(*name, value.clone())?;
    }
    let mut all: Vec<Value<'js>> = vec![object.get(handler_key(kind))?];
    if let Some(listeners) = object.get::<_, Option<Array<'js>>>(listeners_key(kind))? {
        all.extend(convert::items(&listeners)?);
    }
    for handler in all.iter().filter_map(convert::function) {
        handler.call::<_, Value<'js>>((event.clone(),))?;
    }
    Ok(())
}

/// `addEventListener(event, handler)`
pub(super) fn add_listener<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let kind = convert::go_string(&call.arg(0))?;
    let value = call.arg(1);
    if value.is_undefined() || value.is_null() {
        return Err(plain(format!(
            "handler for event type \"{kind}\" isn't a callable function"
        )));
    }
    let Some(handler) = convert::function(&value) else {
        let shown = convert::to_text(&value)?;
        return Err(Throw::Type(format!(
            "could not convert function call parameter 1: could not convert {shown} to func(sobek.Value) (sobek.Value, error)"
        )));
    };
    if !EVENTS.iter().any(|(_, known)| *known == kind) {
        let message = format!("can't add event handler: unknown event type: {kind}");
        call.vu().logger.log(Level::Warn, &message, &[]);
        return Ok(call.undefined());
    }
    let object = Object::from_value(call.this())?;
    let key = listeners_key(&kind);
    let known = object.get::<_, Option<Array<'js>>>(key.as_str())?;
    let listeners = match known {
        Some(listeners) => listeners,
        None => Array::new(call.ctx.clone())?,
    };
    listeners.set(listeners.len(), handler)?;
    hide(&object, &key, listeners.into_value())?;
    Ok(call.undefined())
}

fn hide<'js>(object: &Object<'js>, key: &str, value: Value<'js>) -> Result<(), Throw> {
    let key = CString::new(key).unwrap_or_default();
    Ok(define(object, &key, value, Visible::No)?)
}

/// Reads an `on…` property.
pub(super) fn get_on<'js, const N: usize>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let object = Object::from_value(call.this())?;
    let handler: Value<'js> = object.get(handler_key(EVENTS[N].1))?;
    if handler.is_undefined() {
        // As in k6, there is always one.
        let idle = function(call.ctx, do_nothing, EVENTS[N].0, Shape::Function)?;
        return Ok(idle.into_value());
    }
    Ok(handler)
}

fn do_nothing<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    Ok(call.undefined())
}

/// Sets an `on…` property.
pub(super) fn set_on<'js, const N: usize>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let object = Object::from_value(call.this())?;
    let value = call.arg(0);
    let is_absent = value.is_null() || value.is_undefined();
    if !is_absent && !value.is_function() {
        return Err(plain(format!(
            "a value for 'on{}' should be callable",
            EVENTS[N].1
        )));
    }
    let kept = if is_absent { call.undefined() } else { value };
    hide(&object, &handler_key(EVENTS[N].1), kept)?;
    Ok(call.undefined())
}
