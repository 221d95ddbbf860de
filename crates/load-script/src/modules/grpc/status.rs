//! The statuses as scripts see them: objects that compare as numbers and are displayed as names, as in k6. A
//! response has the same object as the module's constant, so that `===` holds between the two.

use grpc_client::status::{self, NAMES};
use script_engine::class;
use script_engine::convert;
use script_engine::native::{Call, numbered_method};
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Array, Ctx, Object, Value};

use super::client::Client;

/// The property of the clients' prototype, one per realm, that holds the statuses.
const KEPT: &str = "\u{1}statuses";

/// The statuses of a health check; the last name is misspelt in k6.
const HEALTH: [(&str, &str); 4] = [
    ("HealthCheckUnknown", "UNKNOWN"),
    ("HealthCheckServing", "SERVING"),
    ("HealthCheckNotServing", "NOT_SERVING"),
    ("HealthCheckServiceUnkown", "SERVICE_UNKNOWN"),
];

/// Makes the statuses of a realm.
pub(super) fn keep(prototype: &Object<'_>) -> script_engine::Result<()> {
    let ctx = prototype.ctx();
    let known: Value<'_> = prototype.get(KEPT)?;
    if !known.is_undefined() {
        return Ok(());
    }
    let all = Array::new(ctx.clone())?;
    for number in 0..NAMES.len() {
        all.set(number, object(ctx, u16::try_from(number).unwrap_or(0))?)?;
    }
    define(prototype, c"\x01statuses", all.into_value(), Visible::No)
}

/// Gives the module its constants.
pub(super) fn export<'js>(exports: &Object<'js>, prototype: &Object<'js>) -> Result<(), Throw> {
    let all: Array<'js> = prototype.get(KEPT)?;
    for (number, name) in NAMES.iter().enumerate() {
        exports.set(format!("Status{name}"), all.get::<Value<'js>>(number)?)?;
    }
    for (name, value) in HEALTH {
        exports.set(name, value)?;
    }
    Ok(())
}

/// The status with this number.
pub(super) fn of<'js>(ctx: &Ctx<'js>, code: u32) -> Outcome<'js> {
    let prototype = class::prototype::<Client>(ctx)?;
    let all: Array<'js> = prototype.get(KEPT)?;
    match usize::try_from(code) {
        Ok(at) if at < all.len() => Ok(all.get(at)?),
        _ => Ok(object(ctx, u16::try_from(code).unwrap_or(u16::MAX))?.into_value()),
    }
}

fn object<'js>(ctx: &Ctx<'js>, number: u16) -> script_engine::Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    numbered_method(&object, c"valueOf", value_of, number)?;
    numbered_method(&object, c"toJSON", value_of, number)?;
    numbered_method(&object, c"toString", to_string, number)?;
    numbered_method(&object, c"string", to_string, number)?;
    Ok(object)
}

fn value_of<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    Ok(convert::number(call.ctx, f64::from(call.number())))
}

fn to_string<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    call.string(&status::name(u32::from(call.number())))
}
