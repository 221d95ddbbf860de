//! Errors of calls as scripts see them: `{code, details, message}`.

use std::ffi::CStr;

use grpc_client::json;
use grpc_client::status::Status;
use script_engine::class::{self, Class};
use script_engine::convert;
use script_engine::native::{self, Call, Shape, function};
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Array, Ctx, Object};

use super::client::Method;
use super::status;

/// The text of an error.
struct StreamError(String);

impl Class for StreamError {
    const NAME: &'static CStr = c"StreamError";

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        let text = function(prototype.ctx(), to_string, c"toString", Shape::Function)?;
        define(prototype, c"toString", text.into_value(), Visible::No)
    }
}

/// The error of a response, whose code is a number.
pub(super) fn of_response<'js>(
    ctx: &Ctx<'js>,
    method: &Method,
    failed: &Status,
) -> Result<Object<'js>, Throw> {
    let error = Object::new(ctx.clone())?;
    error.set("code", f64::from(failed.code))?;
    error.set("message", failed.message.as_str())?;
    error.set("details", details(ctx, method, failed)?)?;
    Ok(error)
}

/// The error of a stream, whose code is a status; its text contains both.
pub(super) fn of_stream<'js>(ctx: &Ctx<'js>, method: &Method, failed: &Status) -> Outcome<'js> {
    let text = format!("code: {}, message: {}", failed.code, failed.message);
    let error = class::new(ctx, StreamError(text))?;
    error.set("code", status::of(ctx, failed.code)?)?;
    error.set("details", details(ctx, method, failed)?)?;
    error.set("message", failed.message.as_str())?;
    native::method(&error, c"error", to_string)?;
    Ok(error.into_value())
}

fn details<'js>(ctx: &Ctx<'js>, method: &Method, failed: &Status) -> Result<Array<'js>, Throw> {
    let details = Array::new(ctx.clone())?;
    let texts = json::details(&failed.details, method.descriptor.parent_pool());
    for (at, text) in texts.iter().enumerate() {
        details.set(at, convert::from_json(ctx, text)?)?;
    }
    Ok(details)
}

fn to_string<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    match class::of::<StreamError>(&call.this()) {
        Some(error) => call.string(&error.0),
        None => call.string("[object Object]"),
    }
}
