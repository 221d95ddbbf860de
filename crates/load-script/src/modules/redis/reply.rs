//! Replies and failures as scripts see them.

use redis_client::{Failure, Value as Reply, reply};
use script_engine::convert;
use script_engine::native::{Call, method};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Array, Ctx, Object, Value};

use super::commands::Gives;
use crate::modules::rejection;

/// The maximum depth of nested lists; the server's own limit is lower.
const MAX_DEPTH: usize = 128;
/// One nanosecond, in seconds.
const NANOSECOND: f64 = 1e-9;

/// A reply as the script's value.
///
/// # Errors
/// The reply is not of the type, or the script has no memory for it.
pub(super) fn value<'js>(
    ctx: &Ctx<'js>,
    given: &Reply,
    gives: Gives,
) -> Result<Result<Value<'js>, Failure>, Throw> {
    let list = |texts: Vec<Vec<u8>>| {
        let list = Array::new(ctx.clone())?;
        for (at, text) in texts.iter().enumerate() {
            list.set(at, convert::string_of_bytes(ctx, text)?)?;
        }
        Outcome::Ok(list.into_value())
    };
    let made = match gives {
        Gives::Text => reply::text(given).map(|text| convert::string_of_bytes(ctx, &text)),
        Gives::Number => reply::number(given).map(|n| Ok(convert::number(ctx, n as f64))),
        Gives::Flag => reply::flag(given).map(|flag| Ok(Value::new_bool(ctx.clone(), flag))),
        Gives::Texts => reply::texts(given).map(list),
        Gives::Pairs => reply::pairs(given).map(|pairs| object(ctx, &pairs)),
        Gives::Seconds => reply::number(given).map(|n| Ok(convert::number(ctx, seconds(n)))),
        Gives::Items => reply::items(given).map(|_| any(ctx, given, MAX_DEPTH)),
        Gives::Any => Ok(any(ctx, given, MAX_DEPTH)),
    };
    made.transpose_throw()
}

/// Exchanges the two levels of `Result<Outcome, Failure>`.
trait TransposeThrow<'js> {
    fn transpose_throw(self) -> Result<Result<Value<'js>, Failure>, Throw>;
}

impl<'js> TransposeThrow<'js> for Result<Outcome<'js>, Failure> {
    fn transpose_throw(self) -> Result<Result<Value<'js>, Failure>, Throw> {
        match self {
            Ok(outcome) => outcome.map(Ok),
            Err(failure) => Ok(Err(failure)),
        }
    }
}

/// Seconds to live. A negative number means that there is no key or no expiry; k6 reads it as nanoseconds.
fn seconds(number: i64) -> f64 {
    match number {
        ..0 => number as f64 * NANOSECOND,
        _ => number as f64,
    }
}

fn object<'js>(ctx: &Ctx<'js>, pairs: &[(Vec<u8>, Vec<u8>)]) -> Outcome<'js> {
    let object = Object::new(ctx.clone())?;
    for (name, value) in pairs {
        let name = convert::string_of_bytes(ctx, name)?;
        object.set(name, convert::string_of_bytes(ctx, value)?)?;
    }
    Ok(object.into_value())
}

fn any<'js>(ctx: &Ctx<'js>, given: &Reply, depth: usize) -> Outcome<'js> {
    let Some(depth) = depth.checked_sub(1) else {
        return Ok(Value::new_null(ctx.clone()));
    };
    Ok(match given {
        Reply::Nil => Value::new_null(ctx.clone()),
        Reply::Int(number) => convert::number(ctx, *number as f64),
        Reply::Array(items) | Reply::Set(items) => {
            let list = Array::new(ctx.clone())?;
            for (at, item) in items.iter().enumerate() {
                list.set(at, any(ctx, item, depth)?)?;
            }
            list.into_value()
        }
        Reply::ServerError(_) => {
            let text = reply::error_text(given).unwrap_or_default();
            server_error(ctx, &text)?
        }
        other => match reply::text(other) {
            Ok(text) => convert::string_of_bytes(ctx, &text)?,
            Err(failure) => convert::string(ctx, &failure.to_string())?,
        },
    })
}

/// The rejection value of a promise.
pub(super) fn failure<'js>(ctx: &Ctx<'js>, failed: &Failure) -> Outcome<'js> {
    match failed {
        Failure::Server(text) => server_error(ctx, text),
        Failure::Nil => server_error(ctx, &failed.to_string()),
        _ => rejection::nameless(ctx, &failed.to_string()),
    }
}

/// An error of the server is a text with an additional method, which does nothing.
fn server_error<'js>(ctx: &Ctx<'js>, text: &str) -> Outcome<'js> {
    let error = rejection::textual(ctx, text)?;
    method(&error, c"redisError", nothing)?;
    Ok(error.into_value())
}

fn nothing<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    Ok(call.undefined())
}
