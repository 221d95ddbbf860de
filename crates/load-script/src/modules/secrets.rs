//! `k6/secrets`: values that are never logged.

use std::sync::Arc;

use script_engine::convert;
use script_engine::native::{Call, method};
use script_engine::promise::Deferred;
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Ctx, Object, Value};

use super::rejection;
use crate::secrets::SecretError;
use crate::vu::events::Event;
use crate::vu::state::Caller;

/// The property of a source object that holds its name.
const NAME: &std::ffi::CStr = c"\x01name";

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    method(&exports, c"get", get)?;
    method(&exports, c"source", source)?;
    Ok(exports)
}

/// `source(name)`
fn source<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let name = match call.given(0) {
        Some(name) => convert::to_text(&name)?,
        None => String::new(),
    };
    let source = Object::new(call.ctx.clone())?;
    method(&source, c"get", get)?;
    define(
        &source,
        NAME,
        convert::string(call.ctx, &name)?,
        Visible::No,
    )?;
    Ok(source.into_value())
}

/// `get(key)` of the default source, or of the source object it is called on.
fn get<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let this = call.this();
    let name = this
        .as_object()
        .and_then(|this| this.get::<_, Option<String>>("\x01name").ok().flatten());
    let key = match call.given(0) {
        Some(key) => convert::to_text(&key)?,
        None => String::new(),
    };
    let vu = call.vu();
    let (secrets, logger) = (Arc::clone(vu.script.secrets()), vu.logger.clone());
    let (promise, deferred) = Deferred::new(call.ctx)?;
    vu.events.start(async move {
        let found = secrets.get(name.as_deref(), &key).await;
        if let Ok(secret) = &found {
            logger.redact(secret);
        }
        let event: Event = Box::new(move |ctx| match found {
            Ok(secret) => deferred.settle(ctx, convert::string(ctx, &secret)),
            Err(error) => deferred.reject(ctx, reason(ctx, &error)?),
        });
        event
    });
    Ok(promise)
}

/// The rejection for an unknown source is a text, as in k6.
fn reason<'js>(ctx: &Ctx<'js>, error: &SecretError) -> Result<Value<'js>, Throw> {
    match error {
        SecretError::UnknownSource(_) => {
            let text = rejection::textual(ctx, &error.to_string())?;
            Ok(text.into_value())
        }
        _ => rejection::nameless(ctx, &error.to_string()),
    }
}
