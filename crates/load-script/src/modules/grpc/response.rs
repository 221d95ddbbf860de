//! The response of a call.

use grpc_client::call::Reply;
use grpc_client::json::{self, Unset};
use grpc_client::metadata;
use grpc_client::schema::DynamicMessage;
use grpc_client::status::{Status, code};
use script_engine::convert;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Ctx, Object, Value};

use super::client::Method;
use super::{failure, status};

/// `{message, error, headers, trailers, status}`
pub(super) fn object<'js>(
    ctx: &Ctx<'js>,
    method: &Method,
    mut reply: Reply,
    discards_message: bool,
) -> Outcome<'js> {
    let message = match discards_message {
        true => Value::new_null(ctx.clone()),
        false => message(ctx, method, &mut reply)?,
    };
    let error = match reply.status.is_ok() {
        true => Value::new_null(ctx.clone()),
        false => failure::of_response(ctx, method, &reply.status)?.into_value(),
    };
    let response = Object::new(ctx.clone())?;
    response.set("message", message)?;
    response.set("error", error)?;
    response.set("headers", pairs(ctx, &reply.headers)?)?;
    response.set("trailers", pairs(ctx, &reply.trailers)?)?;
    response.set("status", status::of(ctx, reply.status.code)?)?;
    Ok(response.into_value())
}

/// The message, or an empty one if none arrived, with all its fields.
fn message<'js>(ctx: &Ctx<'js>, method: &Method, reply: &mut Reply) -> Outcome<'js> {
    let descriptor = method.descriptor.output();
    let bytes = reply.message.take().unwrap_or_default();
    let decoded = DynamicMessage::decode(descriptor.clone(), bytes);
    let message = decoded.unwrap_or_else(|error| {
        let why = format!("grpc: failed to unmarshal the received message: {error}");
        reply.status = Status::new(code::INTERNAL, why);
        DynamicMessage::new(descriptor)
    });
    json_value(ctx, &message, Unset::Written)
}

/// A message as a value of the script.
pub(super) fn json_value<'js>(
    ctx: &Ctx<'js>,
    message: &DynamicMessage,
    unset: Unset,
) -> Outcome<'js> {
    let text = json::encode(message, unset).map_err(plain)?;
    convert::from_json(ctx, &text)
}

fn pairs<'js>(ctx: &Ctx<'js>, headers: &metadata::HeaderMap) -> Result<Object<'js>, Throw> {
    let object = Object::new(ctx.clone())?;
    for (name, values) in metadata::of_headers(headers) {
        let list = Array::new(ctx.clone())?;
        for (at, value) in values.iter().enumerate() {
            list.set(at, convert::string_of_bytes(ctx, value)?)?;
        }
        object.set(name, list)?;
    }
    Ok(object)
}
