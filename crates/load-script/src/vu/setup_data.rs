//! The result of `setup`, as Go's JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use script_engine::convert;
use script_engine::throw::Throw;
use script_engine::{Ctx, Function, Object, Value};

use super::run::Returned;

/// The value as JSON, or the reason why it has no JSON form. Every VU parses its own copy.
pub(super) fn to_json<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> Result<Returned<String>, Throw> {
    let base64 = Function::new(ctx.clone(), |bytes: Value<'_>| {
        STANDARD.encode(convert::buffer_bytes(&bytes).unwrap_or_default())
    })?;
    let make: Function<'_> = ctx.eval(include_str!("setup_data.js"))?;
    let made: Object<'_> = make.call((value, base64))?;
    if let Some(why) = made.get::<_, Option<String>>("why")? {
        let why = format!("error marshaling setup() data to JSON: json: unsupported {why}");
        return Ok(Err(why));
    }
    let json: Value<'_> = made.get("json")?;
    convert::to_text(&json).map(|json| Ok(Some(convert::well_formed_json(&json))))
}
